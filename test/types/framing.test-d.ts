import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import { describe, expectTypeOf, it } from "vitest"
import type * as ByteReader from "../../src/framing/ByteReader.ts"
import * as Framed from "../../src/framing/Framed.ts"
import * as Frames from "../../src/framing/Frames.ts"
import type { FrameTooLong, FramingError } from "../../src/framing/FramingError.ts"
import * as Lines from "../../src/framing/Lines.ts"
import * as Ndjson from "../../src/framing/Ndjson.ts"
import * as Netstrings from "../../src/framing/Netstrings.ts"
import type { TransportError } from "../../src/reactor/ReactorError.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

declare const transport: Transport

describe("frames", () => {
  it("know what comes and what goes", () => {
    expectTypeOf(Lines.make(transport).receive).toEqualTypeOf<
      Pull.Pull<string, FramingError | TransportError>
    >()
    expectTypeOf(Netstrings.make(transport).send).parameter(0).toEqualTypeOf<Uint8Array | string>()
    expectTypeOf(Ndjson.make(transport).receiveBatch).toEqualTypeOf<
      Pull.Pull<ReadonlyArray<unknown>, FramingError | TransportError>
    >()
    const skipping = Lines.make(transport, { onTooLong: "skip" })
    expectTypeOf(skipping).toEqualTypeOf<Lines.LinesOrSkipped>()
    // @ts-expect-error a line may be skipped
    expectTypeOf(skipping).toEqualTypeOf<Lines.Lines>()
  })

  it("receiveEach fails as the handler, the framing or the transport do", () => {
    const failing = Lines.make(transport).receiveEach((line) => Effect.fail(line.length))
    expectTypeOf(failing).toEqualTypeOf<Effect.Effect<void, number | FramingError | TransportError>>()
    const bytes = transport.receiveEach(() => Effect.fail("no" as const))
    expectTypeOf(bytes).toEqualTypeOf<Effect.Effect<void, "no" | TransportError>>()
  })

  it("orEnd takes Done away", () => {
    const pulled = Lines.make(transport).receive
    expectTypeOf<Cause.Done>().toExtend<Effect.Error<typeof pulled>>()
    expectTypeOf(Frames.orEnd(Lines.make(transport))).toEqualTypeOf<
      Effect.Effect<string | undefined, FramingError | TransportError>
    >()
  })

  it("a reason of FramingError narrows", () => {
    const caught = Lines.make(transport)
      .receiveEach(() => Effect.void)
      .pipe(
        Effect.catchReason("FramingError", "FrameTooLong", (reason) => {
          expectTypeOf(reason).toEqualTypeOf<FrameTooLong>()
          return Effect.void
        })
      )
    expectTypeOf<TransportError>().toExtend<Effect.Error<typeof caught>>()
  })
})

describe("Framed", () => {
  it("is of the schemas' types", () => {
    const schemas = {
      receive: Schema.Struct({ at: Schema.DateFromString }),
      send: Schema.Struct({ ok: Schema.Boolean })
    }
    Framed.over(schemas)((framed) => {
      expectTypeOf(framed.receive).toEqualTypeOf<
        Pull.Pull<{ readonly at: Date }, FramingError | TransportError>
      >()
      expectTypeOf(framed.send).parameter(0).toEqualTypeOf<{ readonly ok: boolean }>()
      return Effect.asVoid(Effect.ignore(framed.receive))
    })
  })
})

describe("ByteReader", () => {
  it("says that the input may end", () => {
    expectTypeOf<ByteReader.ByteReader["readLine"]>().returns.toEqualTypeOf<
      Effect.Effect<string, FramingError | TransportError | Cause.Done>
    >()
  })
})
