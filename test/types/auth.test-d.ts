import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import * as Checker from "../../src/auth/Checker.ts"
import * as Credentials from "../../src/auth/Credentials.ts"
import type { LoginError } from "../../src/auth/LoginError.ts"
import * as Portal from "../../src/auth/Portal.ts"
import * as Realm from "../../src/auth/Realm.ts"
import type * as UserStore from "../../src/auth/UserStore.ts"

class Mailbox extends Context.Service<Mailbox, { readonly owner: string }>()("types/Mailbox") {}
class Admin extends Context.Service<Admin, { readonly powers: number }>()("types/Admin") {}
class Shell extends Context.Service<Shell, string>()("types/Shell") {}
class Terminal extends Context.Service<Terminal, number>()("types/Terminal") {}

declare const users: Checker.Checker<UserStore.Kind>
const portal = Portal.make({
  realms: [
    Realm.make(Mailbox, () => Effect.succeed({ owner: "a" })),
    Realm.make(Admin, () =>
      Effect.acquireRelease(
        Effect.map(Terminal, (powers) => ({ powers })),
        () => Effect.void
      )
    )
  ],
  checkers: [users, Checker.anonymous]
})

describe("a portal", () => {
  it("knows its credentials, its interfaces, and what its realms need", () => {
    expectTypeOf(portal).toEqualTypeOf<
      Portal.Portal<UserStore.Kind | Credentials.Anonymous, Mailbox | Admin, Terminal>
    >()
    expectTypeOf(portal.login(Credentials.usernamePassword("a", "b"), Mailbox)).toEqualTypeOf<
      Effect.Effect<{ readonly owner: string }, LoginError, Terminal | Scope.Scope>
    >()
    // There is no realm for it, or no checker.
    expectTypeOf(portal).not.toExtend<Portal.Portal<Credentials.Anonymous, Shell, Terminal>>()
    expectTypeOf(portal).not.toExtend<Portal.Portal<Credentials.External, Mailbox, Terminal>>()
    expectTypeOf(portal).toExtend<Portal.Portal<Credentials.Anonymous, Admin, Terminal>>()
    // @ts-expect-error the same, where it is used
    const external = () => portal.login(new Credentials.External({ identity: "x" }), Mailbox)
    expectTypeOf(external).toBeFunction()
  })

  it("tells which of several interfaces it was", () => {
    const either = portal.loginAny(Credentials.anonymous(), [Admin, Mailbox])
    expectTypeOf<Effect.Success<typeof either>["avatar"]>().toEqualTypeOf<
      { readonly powers: number } | { readonly owner: string }
    >()
    // @ts-expect-error at least one
    const none = () => portal.loginAny(Credentials.anonymous(), [])
    expectTypeOf(none).toBeFunction()
  })

  it("a checker of more kinds is one of fewer", () => {
    expectTypeOf(users).toExtend<Checker.Checker<Credentials.UsernamePassword>>()
    expectTypeOf(Checker.anonymous).not.toExtend<Checker.Checker<Credentials.UsernamePassword>>()
    // @ts-expect-error the tag is not that of the credentials
    Checker.make<Credentials.Anonymous>(["Bearer"], () => Effect.succeed("a"))
  })
})
