import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { describe, expectTypeOf, it } from "vitest"
import * as Configuration from "../../src/app/Configuration.ts"
import type { ConfigurationError } from "../../src/app/ConfigurationError.ts"

const config = {
  port: Config.Port("port").pipe(Config.withDefault(8080)),
  database: { url: Config.String("url"), pool: Config.all({ wait: Config.Duration("wait") }) },
  token: Config.Redacted("token")
}

interface Expected {
  readonly port: number
  readonly database: { readonly url: string; readonly pool: { wait: Duration.Duration } }
  readonly token: Redacted.Redacted
}

describe("Configuration", () => {
  it("load gives what the Configs of the record give, and fails with one error", () => {
    const loaded = Configuration.load(config, {})
    expectTypeOf(loaded).toEqualTypeOf<
      Effect.Effect<Configuration.Configured<Configuration.Value<typeof config>>, ConfigurationError>
    >()
    expectTypeOf<Configuration.Value<typeof config>>().toEqualTypeOf<Expected>()
  })

  it("reload takes what load has given, of the same record only", () => {
    const previous = {} as Configuration.Configured<Configuration.Value<typeof config>>
    expectTypeOf(Configuration.reload(config, {}, previous)).toEqualTypeOf<
      Effect.Effect<Configuration.Reloaded<Configuration.Value<typeof config>>, ConfigurationError>
    >()
    // @ts-expect-error another record
    const other = Configuration.reload({ port: Config.String("port") }, {}, previous)
    expectTypeOf(other).not.toBeAny()
  })

  it("takes Configs only", () => {
    // @ts-expect-error a number is no Config
    const loaded = Configuration.load({ port: 80 }, {})
    expectTypeOf(loaded).not.toBeAny()
    expectTypeOf<{ readonly port: number }>().not.toExtend<Configuration.Shape>()
  })
})
