/** The rules of `replicated-log`, without a network: what happens goes in, what is to be done comes out. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { careful, flaws, type Rules } from "../../../examples/replicated-log/LogRules.ts"
import * as LogSession from "../../../examples/replicated-log/LogSession.ts"
import type { Action, Event, State } from "../../../examples/replicated-log/LogState.ts"
import * as LogWire from "../../../examples/replicated-log/LogWire.ts"

const empty = { term: 0, vote: undefined, log: [] }

const make = (self = "a", rules: Rules = careful) =>
  LogSession.make(self, ["a", "b", "c"], rules, empty, { now: 0, chance: 0 })

/** One event after another, each at its time: the last state, and what the last event brought. */
const after = (
  state: State,
  ...events: ReadonlyArray<readonly [number, Event]>
): readonly [State, ReadonlyArray<Action>] =>
  events.reduce<readonly [State, ReadonlyArray<Action>]>(
    ([state], [now, event]) => LogSession.step(state, event, { now, chance: 0 }),
    [state, []]
  )

const awake: Event = { _tag: "Awake" }
const heard = (message: LogWire.Message): Event => ({ _tag: "Heard", message })
const append: Event = { _tag: "Asked", client: 1, request: { _tag: "Append", id: "1", text: "hello" } }
const read: Event = { _tag: "Asked", client: 2, request: { _tag: "Read" } }
const grant = (from: string, term: number) => heard({ _tag: "Grant", from, term, isGranted: true })
const copied = (from: string, round: number, length: number, term = 1) =>
  heard({ _tag: "Copied", from, term, round, isAccepted: true, length })

/** In office since 510, in term 1, with the entry that it began with. */
const leader = (rules: Rules = careful) =>
  after(make("a", rules), [500, awake], [510, grant("b", 1)], [520, copied("b", 1, 1)])[0]

const kinds = (actions: ReadonlyArray<Action>) => actions.map(({ _tag }) => _tag)

describe("replicated-log, its rules", () => {
  it("stands after a lease in silence, and has its vote on the disk before it asks", () => {
    assert.deepStrictEqual(after(make(), [499, awake])[1], [])
    const [state, actions] = after(make(), [500, awake])
    assert.strictEqual(state.term, 1)
    assert.deepStrictEqual(kinds(actions), ["Save", "Send", "Send"])
  })

  it("leads with a majority, itself counted", () => {
    const [state, actions] = after(make(), [500, awake], [510, grant("b", 1)])
    assert.strictEqual(state.role._tag, "Leader")
    assert.deepStrictEqual(kinds(actions), ["Tell", "Save", "Send", "Send"])
  })

  it("votes once a term, and for nobody while it hears from a leader", () => {
    const ask = (from: string): Event => heard({ _tag: "Ask", from, term: 1, length: 0, lastTerm: 0 })
    const isGranted = (actions: ReadonlyArray<Action>) =>
      actions.some(
        (action) => action._tag === "Send" && action.message._tag === "Grant" && action.message.isGranted
      )
    assert.isTrue(isGranted(after(make(), [600, ask("b")])[1]))
    assert.isFalse(isGranted(after(make(), [600, ask("b")], [1_200, ask("c")])[1]))
    assert.isTrue(isGranted(after(make(), [600, ask("b")], [1_200, ask("b")])[1]))
    const copy: LogWire.Message = {
      _tag: "Copy",
      from: "b",
      term: 0,
      round: 1,
      before: 0,
      beforeTerm: 0,
      entries: [],
      committed: 0
    }
    assert.isFalse(isGranted(after(make(), [600, heard(copy)], [1_099, ask("c")])[1]))
    assert.isTrue(isGranted(after(make(), [600, heard(copy)], [1_100, ask("c")])[1]))
  })

  it("tells a client when a majority has it; one that acknowledges alone, at once", () => {
    const [state, actions] = after(leader(), [600, append])
    assert.deepStrictEqual(kinds(actions), ["Save", "Send", "Send"])
    const [, then] = after(state, [610, copied("c", 2, 2)])
    assert.deepStrictEqual(
      then.filter(({ _tag }) => _tag === "Answer"),
      [{ _tag: "Answer", client: 1, answer: { _tag: "Appended", position: 1 } }]
    )
    const alone = after(leader({ ...careful, ...flaws["acknowledges alone"] }), [600, append])[1]
    assert.deepStrictEqual(kinds(alone), ["Save", "Send", "Send", "Answer"])
  })

  it("appends what is asked for twice once", () => {
    const [state] = after(leader(), [600, append], [610, append])
    assert.strictEqual(state.log.length, 2)
    assert.strictEqual(kinds(after(state, [620, copied("b", 2, 2)])[1]).length, 2)
  })

  it("answers what is read when a majority has said since that it leads; one that trusts its clock, at once", () => {
    const [state, actions] = after(leader(), [600, read])
    assert.deepStrictEqual(kinds(actions), ["Send", "Send"])
    assert.deepStrictEqual(kinds(after(state, [610, copied("b", 1, 1)])[1]), [])
    assert.deepStrictEqual(kinds(after(state, [610, copied("b", 2, 1)])[1]), ["Answer"])
    const trusting = leader({ ...careful, ...flaws["trusts its clock"] })
    assert.deepStrictEqual(kinds(after(trusting, [600, read])[1]), ["Answer"])
  })

  it("refuses whoever leads in an older term; one that does not fence, follows", () => {
    const old: LogWire.Message = {
      _tag: "Copy",
      from: "b",
      term: 0,
      round: 1,
      before: 0,
      beforeTerm: 0,
      entries: [{ term: 0, id: "2", text: "old" }],
      committed: 0
    }
    assert.strictEqual(after(leader(), [600, heard(old)])[0].log[0]?.term, 1)
    const open = leader({ ...careful, ...flaws["does not fence"] })
    assert.strictEqual(after(open, [600, heard(old)])[0].log[0]?.text, "old")
  })

  it("leads no more when its lease is over, and tells who waits to ask again", () => {
    const [state, actions] = after(leader(), [600, append], [1_100, awake])
    assert.strictEqual(state.role._tag, "Follower")
    assert.deepStrictEqual(actions.at(-1), { _tag: "Answer", client: 1, answer: { _tag: "Later" } })
  })
})

describe("replicated-log, what is said", () => {
  it("lines are what they were", () => {
    for (const request of [{ _tag: "Read" }, { _tag: "Append", id: "a-1", text: "two words " }] as const) {
      assert.deepStrictEqual(
        LogWire.parseRequest(LogWire.formatRequest(request)),
        Result.succeed<LogWire.Request>(request)
      )
    }
    for (const answer of [
      { _tag: "Appended", position: 7 },
      { _tag: "Texts", texts: ["a b", '"'] },
      { _tag: "Elsewhere", leader: "b" },
      { _tag: "Later" },
      { _tag: "Refused", reason: "no" }
    ] as const) {
      assert.deepStrictEqual(LogWire.parseAnswer(LogWire.formatAnswer(answer)), answer)
    }
  })

  it("anything else is nothing, or told", () => {
    assert.isUndefined(LogWire.parseAnswer("texts no"))
    assert.isUndefined(LogWire.decode(new TextEncoder().encode('{"_tag":"Grant"}')))
    for (const line of ["", "append", "append 1", `append 1 ${"x".repeat(501)}`, "reads"]) {
      assert.isTrue(Result.isFailure(LogWire.parseRequest(line)), line)
    }
  })
})
