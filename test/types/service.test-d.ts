import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import { Service, ServiceGroup, ServiceTree, type ServiceError } from "../../src/app/index.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"

class Store extends Context.Service<Store, { readonly get: Effect.Effect<string> }>()("Store") {}
class Mailer extends Context.Service<Mailer, { readonly send: Effect.Effect<void> }>()("Mailer") {}
class Settings extends Context.Service<Settings, { readonly port: number }>()("Settings") {}
class Broken extends Data.TaggedError("Broken")<{}> {}
class Refused extends Data.TaggedError("Refused")<{}> {}

const store = Service.layer(
  Layer.effect(
    Store,
    Effect.gen(function* () {
      yield* Settings
      if ((yield* Settings).port === 0) return yield* new Broken()
      return { get: Effect.succeed("") }
    })
  ),
  { name: "store" }
)
const usesStore = Service.make({ name: "usesStore", run: () => Effect.flatMap(Store, ({ get }) => get) })
const usesMailer = Service.make({ name: "usesMailer", run: () => Effect.flatMap(Mailer, ({ send }) => send) })

describe("Service.make", () => {
  it("needs no phases", () => {
    expectTypeOf(Service.make({ name: "a" })).toEqualTypeOf<Service.Service<never, never, never>>()
  })
  it("hands what one phase gives to the next", () => {
    const a = Service.make({
      name: "a",
      privileged: Reactor.pipe(Effect.as(1 as number)),
      start: (bound) => {
        expectTypeOf(bound).toEqualTypeOf<number>()
        return Effect.succeed({ text: String(bound) })
      },
      run: (started) => {
        expectTypeOf(started).toEqualTypeOf<{ text: string }>()
        return Effect.fail(new Broken())
      },
      ready: ({ text }) => Effect.succeed(text === ""),
      live: { check: ({ text }) => Effect.flatMap(Mailer, ({ send }) => Effect.as(send, text)) },
      reload: ({ text }) => Effect.log(text)
    })
    expectTypeOf(a).toEqualTypeOf<Service.Service<never, Broken, Reactor | Mailer>>()
  })
  it("hands what was bound to run, where there is no start", () => {
    Service.make({
      name: "a",
      privileged: Effect.succeed("bound"),
      run: (started) => {
        expectTypeOf(started).toEqualTypeOf<string>()
        return Effect.void
      }
    })
  })
  it("runs in a scope of its own", () => {
    const a = Service.make({
      name: "a",
      start: () => Effect.acquireRelease(Effect.succeed(1), () => Effect.void),
      run: () => Effect.addFinalizer(() => Effect.void)
    })
    expectTypeOf(a).toEqualTypeOf<Service.Service<never, never, never>>()
  })
  it("binds with what the platform gives, and nothing else", () => {
    expectTypeOf(Service.make({ name: "a", privileged: Reactor })).toEqualTypeOf<
      Service.Service<never, never, Reactor>
    >()
    type Accepted = Parameters<typeof Service.make>[0]
    expectTypeOf<{ readonly name: "a"; readonly privileged: typeof Reactor }>().toExtend<Accepted>()
    // Nobody provides a Store yet.
    expectTypeOf<{ readonly name: "a"; readonly privileged: typeof Store }>().not.toExtend<Accepted>()
  })
  it("fails as its phases do", () => {
    const a = Service.make({
      name: "a",
      start: () => Effect.fail(new Broken()),
      run: () => Effect.fail(new Refused())
    })
    expectTypeOf(a).toEqualTypeOf<Service.Service<never, Broken | Refused, never>>()
  })
  it("may provide", () => {
    const a = Service.make({
      name: "a",
      start: () => Effect.succeed(1),
      provides: (port) => Context.make(Settings, { port })
    })
    expectTypeOf(a).toEqualTypeOf<Service.Service<Settings, never, never>>()
  })
  it("keeps its name", () => {
    const a = Service.make({ name: "a" })
    expectTypeOf(a.name).toEqualTypeOf<string>()
    // @ts-expect-error it is read-only
    a.name = "b"
  })
})

describe("Service.layer", () => {
  it("provides, fails and requires as the layer does", () => {
    expectTypeOf(store).toEqualTypeOf<Service.Service<Store, Broken, Settings>>()
  })
  it("is asked with its services", () => {
    const a = Service.layer(Layer.succeed(Settings, { port: 1 }), {
      name: "settings",
      ready: (services) => {
        expectTypeOf(services).toEqualTypeOf<Context.Context<Settings>>()
        return Mailer
      }
    })
    expectTypeOf(a).toEqualTypeOf<Service.Service<Settings, never, Mailer>>()
  })
})

describe("ServiceGroup.make", () => {
  it("owes what earlier services do not provide", () => {
    const group = ServiceGroup.make("app", [store, usesStore, usesMailer])
    expectTypeOf(group).toEqualTypeOf<Service.Service<Store, Broken, Settings | Mailer>>()
  })
  it("owes what only later services provide", () => {
    const group = ServiceGroup.make("app", [usesStore, store])
    expectTypeOf(group).toEqualTypeOf<Service.Service<Store, Broken, Settings | Store>>()
  })
  it("provides to what comes after it, from within a group", () => {
    const data = ServiceGroup.make("data", [
      Service.layer(Layer.succeed(Settings, { port: 1 }), { name: "s" }),
      store
    ])
    const app = ServiceGroup.make("app", [data, ServiceGroup.make("web", [usesStore])])
    expectTypeOf(app).toEqualTypeOf<Service.Service<Settings | Store, Broken, never>>()
  })
  it("owes what the platform gives, in any case", () => {
    const reactor = Service.layer(Layer.succeed(Reactor, {} as Reactor["Service"]), { name: "reactor" })
    const port = Service.make({ name: "port", privileged: Reactor })
    expectTypeOf(ServiceGroup.make("app", [reactor, port])).toEqualTypeOf<
      Service.Service<Reactor, never, Reactor>
    >()
  })
  it("owes all that the services of an array require", () => {
    const services: Array<typeof store | typeof usesMailer> = [store]
    expectTypeOf(ServiceGroup.make("app", services)).toEqualTypeOf<
      Service.Service<Store, Broken, Settings | Mailer>
    >()
  })
  it("fails as one of its services does, at any depth", () => {
    const broken = Service.make({ name: "a", start: () => Effect.fail(new Broken()) })
    const refused = Service.make({ name: "b", run: () => Effect.fail(new Refused()) })
    expectTypeOf(ServiceGroup.make("app", [broken, ServiceGroup.make("web", [refused])])).toEqualTypeOf<
      Service.Service<never, Broken | Refused, never>
    >()
  })
  it("may be empty", () => {
    expectTypeOf(ServiceGroup.make("app", [])).toEqualTypeOf<Service.Service<never, never, never>>()
  })
})

describe("ServiceTree", () => {
  it("cannot be run by whoever owes it something", () => {
    const main = Effect.scoped(ServiceTree.start(ServiceGroup.make("app", [usesStore])))
    expectTypeOf(main).toEqualTypeOf<Effect.Effect<ServiceTree.ServiceTree, ServiceError, Store>>()
    // A program is run when it requires nothing more.
    expectTypeOf(main).not.toExtend<Parameters<typeof Effect.runPromise>[0]>()
  })
  it("adds what requires nothing, or what who adds it can give", () => {
    const added = Effect.gen(function* () {
      const tree = yield* ServiceTree.start(ServiceGroup.make("app", []))
      yield* tree.root.add(usesStore)
    })
    expectTypeOf(added).toEqualTypeOf<Effect.Effect<void, ServiceError, Store | Scope.Scope>>()
  })
  it("requires what is owed, and a scope", () => {
    const tree = ServiceTree.start(ServiceGroup.make("app", [store, usesMailer]))
    expectTypeOf(tree).toEqualTypeOf<
      Effect.Effect<ServiceTree.ServiceTree, ServiceError, Settings | Mailer | Scope.Scope>
    >()
  })
})
