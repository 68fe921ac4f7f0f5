/** RFC 1143: which options are on. */
import { assert, describe, it } from "@effect/vitest"
import * as TelnetSession from "../../src/telnet/TelnetSession.ts"
import type * as TelnetWire from "../../src/telnet/TelnetWire.ts"
import { numbers } from "../support/randomBytes.ts"

const allowed: TelnetSession.Policy = { local: new Set([1]), remote: new Set([1]) }
const nothing: TelnetSession.Policy = { local: new Set(), remote: new Set() }

/** What is sent and what changes, for events such as `+remote` (wanted), `-local`, `will`, `dont`. */
const played = (events: string, policy: TelnetSession.Policy): string => {
  let state = TelnetSession.initial
  const out: Array<string> = []
  for (const word of events.split(" ")) {
    const wanted = /^([+-])(local|remote)$/.exec(word)
    const event: TelnetSession.SessionEvent =
      wanted === null
        ? { _tag: "Received", verb: word as TelnetWire.Verb, option: 1 }
        : { _tag: "Want", side: wanted[2] === "local" ? "Local" : "Remote", option: 1, on: wanted[1] === "+" }
    const [next, actions] = TelnetSession.step(state, event, policy)
    state = next
    for (const action of actions) {
      out.push(
        action._tag === "Send"
          ? action.verb.toUpperCase()
          : action._tag === "Refused"
            ? `${action.side} refused`
            : `${action.side} ${action.on ? "on" : "off"}`
      )
    }
  }
  return out.join(", ")
}

describe("RFC 1143: the Q method", () => {
  it("section 7: each state and each word", () => {
    for (const [events, allowing, refusing] of [
      ["will", "DO, Remote on", "DONT"],
      ["do", "WILL, Local on", "WONT"],
      ["wont", "", ""],
      ["dont", "", ""],
      // What is on already is not answered: here is where others loop.
      ["will will will", "DO, Remote on", "DONT, DONT, DONT"],
      ["will wont wont", "DO, Remote on, DONT, Remote off", "DONT"],
      ["+remote will", "DO, Remote on", "DO, Remote on"],
      ["+remote wont", "DO, Remote refused", "DO, Remote refused"],
      ["+local do do", "WILL, Local on", "WILL, Local on"],
      ["+local dont", "WILL, Local refused", "WILL, Local refused"],
      ["+remote +remote will", "DO, Remote on", "DO, Remote on"],
      // A change of mind waits for the answer.
      ["+remote -remote will wont", "DO, Remote on, DONT, Remote off", "DO, Remote on, DONT, Remote off"],
      ["+remote -remote wont", "DO", "DO"],
      ["+remote -remote +remote will", "DO, Remote on", "DO, Remote on"],
      ["+remote will -remote wont", "DO, Remote on, DONT, Remote off", "DO, Remote on, DONT, Remote off"],
      [
        "+remote will -remote +remote wont will",
        "DO, Remote on, DONT, Remote off, DO, Remote on",
        "DO, Remote on, DONT, Remote off, DO, Remote on"
      ],
      // Answers that are none: DONT answered by WILL.
      ["+remote will -remote will", "DO, Remote on, DONT, Remote off", "DO, Remote on, DONT, Remote off"],
      ["+remote will -remote +remote will", "DO, Remote on, DONT", "DO, Remote on, DONT"],
      ["-remote -local", "", ""]
    ] as const) {
      assert.deepStrictEqual([played(events, allowed), played(events, nothing)], [allowing, refusing], events)
    }
  })

  it("law: two sides that want anything at any time come to rest, and agree", () => {
    const below = numbers(17)
    for (let i = 0; i < 2_000; i++) {
      const policies = [below(2) === 0 ? allowed : nothing, below(2) === 0 ? allowed : nothing] as const
      const states: [TelnetSession.State, TelnetSession.State] = [
        TelnetSession.initial,
        TelnetSession.initial
      ]
      const lines: readonly [Array<TelnetWire.Verb>, Array<TelnetWire.Verb>] = [[], []]
      const take = (who: 0 | 1, event: TelnetSession.SessionEvent) => {
        const [next, actions] = TelnetSession.step(states[who], event, policies[who])
        states[who] = next
        for (const action of actions) if (action._tag === "Send") lines[who === 0 ? 1 : 0].push(action.verb)
      }
      const hear = (who: 0 | 1) => {
        const verb = lines[who].shift()
        if (verb !== undefined) take(who, { _tag: "Received", verb, option: 1 })
      }
      for (let wish = 0; wish < 12; wish++) {
        const who = below(2) === 0 ? 0 : 1
        const side = below(2) === 0 ? "Local" : "Remote"
        if (below(2) === 0) take(who, { _tag: "Want", side, option: 1, on: below(2) === 0 })
        else hear(who)
      }
      let words = 0
      while (lines[0].length + lines[1].length > 0) {
        assert.isBelow(++words, 100, "they do not come to rest")
        hear(0)
        hear(1)
      }
      const on = (who: 0 | 1, side: TelnetSession.Side) => TelnetSession.isOn(states[who], side, 1)
      assert.isTrue(TelnetSession.isSettled(states[0]) && TelnetSession.isSettled(states[1]))
      assert.deepStrictEqual([on(0, "Local"), on(0, "Remote")], [on(1, "Remote"), on(1, "Local")])
    }
  })

  it("law: two sides in any states, that want anything at any time, come to rest, in whatever order they hear it", () => {
    // One side's own option is the other side's remote one: these two machines are all that there is to an option.
    type OptionState = TelnetSession.State["Local"] extends ReadonlyMap<number, infer S> ? S : never
    const states: ReadonlyArray<OptionState | undefined> = [
      undefined,
      { _tag: "Yes" },
      { _tag: "WantNo", opposite: false },
      { _tag: "WantNo", opposite: true },
      { _tag: "WantYes", opposite: false },
      { _tag: "WantYes", opposite: true }
    ]
    const wishesMax = 6
    interface World {
      readonly local: OptionState | undefined
      readonly remote: OptionState | undefined
      /** Words to the one that does it (DO, DONT), and from it (WILL, WONT). */
      readonly toLocal: string
      readonly toRemote: string
      /** That are left to be had. */
      readonly wishes: number
    }
    const told = (
      side: TelnetSession.Side,
      of: OptionState | undefined,
      event: "+" | "-" | "want+" | "want-",
      policy: TelnetSession.Policy
    ): readonly [OptionState | undefined, string] => {
      const state = { ...TelnetSession.initial, [side]: new Map(of === undefined ? [] : [[1, of]]) }
      const [on, off] = side === "Local" ? (["do", "dont"] as const) : (["will", "wont"] as const)
      const [next, actions] = TelnetSession.step(
        state,
        event.startsWith("want")
          ? { _tag: "Want", side, option: 1, on: event === "want+" }
          : { _tag: "Received", verb: event === "+" ? on : off, option: 1 },
        policy
      )
      const said = actions.flatMap((action) => (action._tag === "Send" ? [action.verb] : []))
      return [next[side].get(1), said.map((verb) => (verb === "will" || verb === "do" ? "+" : "-")).join("")]
    }
    let worlds = 0
    for (const localPolicy of [allowed, nothing]) {
      for (const remotePolicy of [allowed, nothing]) {
        /** Steps until rest, at most; a world that leads back to itself is found by what is being looked at. */
        const known = new Map<string, number | "looking">()
        const longest = (world: World): number => {
          const key = JSON.stringify(world)
          const before = known.get(key)
          if (before === "looking") assert.fail(`no rest: ${key}`)
          if (before !== undefined) return before
          worlds++
          known.set(key, "looking")
          let steps = 0
          const goOn = (next: World) => void (steps = Math.max(steps, 1 + longest(next)))
          const localHears = (event: Parameters<typeof told>[2], before: World) => {
            const [local, said] = told("Local", before.local, event, localPolicy)
            goOn({ ...before, local, toRemote: before.toRemote + said })
          }
          const remoteHears = (event: Parameters<typeof told>[2], before: World) => {
            const [remote, said] = told("Remote", before.remote, event, remotePolicy)
            goOn({ ...before, remote, toLocal: before.toLocal + said })
          }
          const { toLocal, toRemote, wishes } = world
          if (toLocal !== "") localHears(toLocal[0] as "+" | "-", { ...world, toLocal: toLocal.slice(1) })
          if (toRemote !== "")
            remoteHears(toRemote[0] as "+" | "-", { ...world, toRemote: toRemote.slice(1) })
          if (wishes > 0) {
            for (const wish of ["want+", "want-"] as const) {
              localHears(wish, { ...world, wishes: wishes - 1 })
              remoteHears(wish, { ...world, wishes: wishes - 1 })
            }
          }
          known.set(key, steps)
          return steps
        }
        for (const local of states) {
          for (const remote of states) {
            const steps = longest({ local, remote, toLocal: "", toRemote: "", wishes: wishesMax })
            assert.isAtMost(steps, 20)
          }
        }
      }
    }
    assert.isAbove(worlds, 2_000)
  })
})
