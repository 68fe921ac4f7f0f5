import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import { describe, expectTypeOf, it } from "vitest"
import * as Application from "../../src/app/Application.ts"
import type { ConfigurationError } from "../../src/app/ConfigurationError.ts"
import * as Service from "../../src/app/Service.ts"
import type { ServiceError } from "../../src/app/ServiceError.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Signals } from "../../src/reactor/Signals.ts"

class Store extends Context.Service<Store, { readonly size: number }>()("types/application/Store") {}
class Mail extends Context.Service<Mail, { readonly host: string }>()("types/application/Mail") {}
class Lost {
  readonly _tag = "Lost"
}
class Broken {
  readonly _tag = "Broken"
}

const store = Service.layer({} as Layer.Layer<Store, Broken, Mail>, { name: "store" })
const user = Service.make({
  name: "user",
  start: () => Store,
  run: () => Effect.fail(new Lost())
})
const listener = Service.make({ name: "listener", privileged: Reactor })

describe("Application.make", () => {
  it("shows what its services still require, and how they fail", () => {
    expectTypeOf(Application.make({ name: "a", services: [store, user] })).toEqualTypeOf<
      Application.Application<Lost | Broken, Mail>
    >()
    // Order matters: the user comes before the store.
    expectTypeOf(Application.make({ name: "a", services: [user, store] })).toEqualTypeOf<
      Application.Application<Lost | Broken, Store | Mail>
    >()
    expectTypeOf(Application.make({ name: "a", services: [] })).toEqualTypeOf<Application.Application>()
  })

  it("gives its services the value of the configuration", () => {
    const app = Application.make({
      name: "a",
      config: { port: Config.Port("port"), inner: { name: Config.String("name") } },
      services: ({ inner, port }, live) => {
        expectTypeOf(port).toEqualTypeOf<number>()
        expectTypeOf(inner).toEqualTypeOf<{ readonly name: string }>()
        expectTypeOf(live.get).toEqualTypeOf<
          Effect.Effect<{ readonly port: number; readonly inner: { readonly name: string } }>
        >()
        expectTypeOf(live.changes).toEqualTypeOf<
          Stream.Stream<{ readonly port: number; readonly inner: { readonly name: string } }>
        >()
        return [store, user, listener]
      }
    })
    expectTypeOf(app).toEqualTypeOf<Application.Application<Lost | Broken, Mail | Reactor>>()
  })
})

describe("Application.provide", () => {
  const app = Application.make({ name: "a", services: [user, listener] })

  it("takes away what a layer has, and adds what it requires", () => {
    expectTypeOf(app.pipe(Application.provide({} as Layer.Layer<Store, Broken, Mail>))).toEqualTypeOf<
      Application.Application<Lost | Broken, Mail | Reactor>
    >()
    expectTypeOf(Application.provide(app, Layer.succeed(Store, { size: 1 }))).toEqualTypeOf<
      Application.Application<Lost, Reactor>
    >()
  })

  it("does not take the place of the platform", () => {
    expectTypeOf(Application.provide(app, {} as Layer.Layer<Store | Reactor>)).toEqualTypeOf<
      Application.Application<Lost, Reactor>
    >()
  })
})

describe("Application.run", () => {
  const app = Application.make({ name: "a", services: [user, listener] })

  it("refuses what requires more than the platform", () => {
    // @ts-expect-error nobody has provided Store
    const run = Application.run(app)
    expectTypeOf(run).not.toBeAny()
    // @ts-expect-error nobody has provided Store
    const runnable: Application.Runnable = app
    expectTypeOf(runnable).not.toEqualTypeOf(app)
    expectTypeOf(app).not.toExtend<Application.Runnable>()
  })

  it("runs what does not", () => {
    const whole = app.pipe(Application.provide(Layer.succeed(Store, { size: 1 })))
    expectTypeOf(whole).toExtend<Application.Runnable>()
    expectTypeOf(Application.run(whole)).toEqualTypeOf<
      Effect.Effect<Application.End, ConfigurationError | ServiceError, Reactor | Signals>
    >()
    expectTypeOf(Application.run(whole, { betweenPhases: Effect.fail(new Lost()) })).toEqualTypeOf<
      Effect.Effect<Application.End, ConfigurationError | ServiceError | Lost, Reactor | Signals>
    >()
  })

  it("knows an application when it sees one", () => {
    const unknown: unknown = app
    if (Application.isApplication(unknown)) {
      expectTypeOf(unknown).toEqualTypeOf<Application.Application<unknown, unknown>>()
    }
  })
})
