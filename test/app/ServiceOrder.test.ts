import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as ServiceIntensity from "../../src/app/ServiceIntensity.ts"
import * as ServiceOrder from "../../src/app/ServiceOrder.ts"

/** `b:a` is b after a; `a!` provides. */
const entries = (text: string): ReadonlyArray<ServiceOrder.Entry> =>
  text.split(" ").map((word) => {
    const [name = "", after] = word.split(":")
    return {
      name: name.replace("!", ""),
      provides: name.endsWith("!"),
      after: after === undefined ? [] : after.split(",")
    }
  })

const order = (text: string): string => {
  const list = entries(text)
  const made = ServiceOrder.make(list)
  return Result.isFailure(made)
    ? made.failure.reason.message
    : made.success.starts.map((index) => list[index]!.name).join(" ")
}

describe("ServiceOrder", () => {
  it("is as given", () => assert.strictEqual(order("c a b"), "c a b"))
  it("moves a service behind what it is after, and nothing else", () => {
    assert.strictEqual(order("a:c b c d"), "b c a d")
    assert.strictEqual(order("a:b b:c c d"), "c b a d")
    assert.strictEqual(order("a:d,c b c d e"), "b c d a e")
  })
  it("puts a provider before all that were listed after it", () => {
    assert.strictEqual(order("a:d p! b c d"), "p b c d a")
    assert.strictEqual(order("a p! b q! c"), "a p b q c")
  })
  it("shows a cycle, and why", () => {
    assert.strictEqual(
      order("x a:b b:c c:a"),
      "its services wait for each other: a -> b -> c -> a (a is after b; b is after c; c is after a)"
    )
    assert.strictEqual(order("a:a"), "its services wait for each other: a -> a (a is after a)")
    assert.strictEqual(
      order("store!:web web"),
      "its services wait for each other: store -> web -> store (store is after web; " +
        "web is listed after store, which provides services)"
    )
  })
  it("refuses names", () => {
    assert.strictEqual(order("a b a"), 'there is already a service "a" in this group')
    assert.strictEqual(
      order("store web:stroe"),
      'it is to start after "stroe", which is no service of its group; did you mean "store"?'
    )
    for (const name of ["", " a", "a ", "a/b", "a\nb"]) {
      const made = ServiceOrder.make([{ name, after: [], provides: false }])
      assert.strictEqual(Result.isFailure(made) && made.failure.reason._tag, "InvalidName", name)
    }
  })
  it("is quick with many", () => {
    const many = Array.from({ length: 5000 }, (_, i) => ({
      name: `s${i}`,
      after: i === 0 ? [] : [`s${i - 1}`],
      provides: i % 3 === 0
    }))
    const made = ServiceOrder.make(many)
    assert.strictEqual(Result.isSuccess(made) && made.success.starts.length, 5000)
  })
  it("finds what depends on what, at any distance", () => {
    const made = ServiceOrder.make(entries("a b:a c:b d"))
    if (Result.isFailure(made)) return assert.fail()
    const dependents = ServiceOrder.reverse(made.success.dependencies)
    assert.deepStrictEqual([...ServiceOrder.closure(dependents, [0])], [0, 1, 2])
    assert.deepStrictEqual([...ServiceOrder.closure(made.success.dependencies, [2])], [2, 1, 0])
  })
})

describe("ServiceIntensity", () => {
  const limit = { restarts: 2, periodMillis: 1000 }
  const after = (...times: ReadonlyArray<number>): ServiceIntensity.Window | undefined =>
    times.reduce<ServiceIntensity.Window | undefined>(
      (window, now) => (window === undefined ? undefined : ServiceIntensity.restarted(window, now, limit)),
      []
    )

  it("allows so many in the period, and not one more", () => {
    assert.deepStrictEqual(after(0, 10), [0, 10])
    assert.isUndefined(after(0, 10, 20))
    assert.isUndefined(after(0, 10, 1000))
  })
  it("forgets what is longer ago", () => {
    assert.deepStrictEqual(after(0, 10, 1001), [10, 1001])
    assert.deepStrictEqual(after(0, 600, 1200, 1800), [1200, 1800])
  })
  it("may allow none", () => {
    assert.isUndefined(ServiceIntensity.restarted([], 0, { restarts: 0, periodMillis: 1000 }))
  })
})
