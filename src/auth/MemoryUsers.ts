/**
 * Users in memory: for tests, and for the command line. Twisted: `InMemoryUsernamePasswordDatabaseDontUse`, whose name says
 * why: passwords stay in memory, and end with the process.
 */
import type { SecureRandom } from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import type * as Checker from "./Checker.ts"
import type { KeyDerivation } from "./KeyDerivation.ts"
import type { StoredPassword } from "./StoredPassword.ts"
import { plain } from "./StoredPassword.ts"
import * as UserStore from "./UserStore.ts"

export class MemoryUsers implements UserStore.UserStore {
  private readonly users = new Map<string, StoredPassword>()

  /** Passwords as they are, or as `PasswordHash` made them. */
  constructor(users: Iterable<readonly [name: string, password: string | StoredPassword]> = []) {
    for (const [name, password] of users) this.set(name, password)
  }

  /** Twisted: `addUser`. */
  set(name: string, password: string | StoredPassword): void {
    this.users.set(name, typeof password === "string" ? plain(password) : password)
  }

  delete(name: string): void {
    this.users.delete(name)
  }

  find(name: string): Effect.Effect<UserStore.User | undefined> {
    return Effect.sync(() => {
      const password = this.users.get(name)
      return password && { id: name, password }
    })
  }

  readonly typical: Effect.Effect<StoredPassword | undefined> = Effect.sync(
    () => this.users.values().next().value
  )
}

/** `MemoryUsers.checker({ alice: "secret" })`. */
export const checker = (
  users: Readonly<Record<string, string | StoredPassword>>,
  options?: UserStore.Options
): Effect.Effect<Checker.Checker<UserStore.Kind>, never, KeyDerivation | SecureRandom> =>
  UserStore.checker(new MemoryUsers(Object.entries(users)), options)
