/**
 * Whose is what is made now: the test that runs it, however many callbacks and fibers later. The platform carries it
 * (async contexts), so tests may run at the same time.
 */
import { AsyncLocalStorage } from "node:async_hooks"

/** One that answers for what it leaves behind: a test, or all that a file does outside of its tests. */
export interface Owner {
  readonly name: string
}

interface Owners {
  readonly storage: AsyncLocalStorage<Owner>
  /** Who answers outside of tests. */
  outside: Owner
}

// One for the process, however often this module is loaded: from sources, and as a package.
const key = Symbol.for("spindle/testing/LeakOwner")
const owners = ((globalThis as Record<symbol, unknown>)[key] ??= {
  storage: new AsyncLocalStorage<Owner>(),
  outside: { name: "what nobody answers for" }
}) as Owners

export const make = (name: string): Owner => ({ name })

export const current = (): Owner => owners.storage.getStore() ?? owners.outside

export const run = <A>(owner: Owner, f: () => A): A => owners.storage.run(owner, f)

/** What is made outside of tests from now on is `owner`'s. */
export const setOutside = (owner: Owner): void => {
  owners.outside = owner
}

/** What `f` makes is not this test's but the file's, which answers for it at its end. */
export const outside = <A>(f: () => A): A => owners.storage.run(owners.outside, f)
