/** Whose fault the end of a connection was. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as NetAddress from "effect/net/NetAddress"
import { isFaulty } from "../../src/reactor/Blame.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import { TransportError } from "../../src/reactor/ReactorError.ts"
import { makers } from "../result/hostile.ts"

const address = NetAddress.unixPathAddress("/run/x")
const transportError = (reason: TransportError["reason"]): TransportError =>
  new TransportError({ operation: "receive", local: address, peer: address, reason })
const says = (fault: unknown): unknown => ({ reason: { _tag: "Any", fault } })

describe("isFaulty", () => {
  const cases: ReadonlyArray<
    readonly [what: string, cause: Cause.Cause<unknown>, faulty: boolean | "as unsaid"]
  > = [
    ["nothing", Cause.empty, false],
    ["an interruption", Cause.interrupt(1), false],
    ["the end of input", Cause.fail(Cause.Done()), false],
    ["a defect", Cause.die("x"), true],
    ["a reset", Cause.fail(transportError(new Reason.Reset({ detail: "d" }))), false],
    ["an abort of ours", Cause.fail(transportError(new Reason.Aborted({ detail: "d" }))), false],
    ["ours, by its reason", Cause.fail(transportError(new Reason.Busy({ detail: "d" }))), true],
    ["any error that says Local", Cause.fail(says("Local")), true],
    ["any error that says Remote", Cause.fail(says("Remote")), false],
    ["an error that says neither", Cause.fail(says("Mine")), "as unsaid"],
    ["an error without a reason", Cause.fail(new Error("x")), "as unsaid"],
    ["a text", Cause.fail("x"), "as unsaid"],
    ["a time-out", Cause.fail(new Cause.TimeoutError()), "as unsaid"],
    ["one of ours among others", Cause.combine(Cause.fail(says("Remote")), Cause.die("x")), true]
  ]
  for (const [what, cause, faulty] of cases) {
    it(what, () => {
      assert.strictEqual(isFaulty(cause, "Local"), faulty === "as unsaid" ? true : faulty)
      assert.strictEqual(isFaulty(cause, "Remote"), faulty === "as unsaid" ? false : faulty)
    })
  }
  it("whatever was thrown", () => {
    for (const [kind, make] of Object.entries(makers)) {
      for (const value of [make("inner"), { reason: make("inner") }]) {
        assert.isBoolean(isFaulty(Cause.fail(value), "Remote"), kind)
      }
    }
  })
})
