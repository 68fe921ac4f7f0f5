/**
 * The types of arguments: schemas whose encoded side is the bytes of a value, for each of Twisted's argument types the same
 * bytes. What Effect makes of schemas, it makes of these: `Amp.Unicode.check(Schema.isMaxLength(20))`,
 * `Amp.Unicode.pipe(Schema.decodeTo(...))`, brands, and any `Schema.Codec<A, Uint8Array>` of your own.
 */
import type * as BigDecimal from "effect/BigDecimal"
import * as EffectDateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { descriptorWire } from "./AmpDescriptors.ts"
import * as AmpDateTimeWire from "./AmpDateTimeWire.ts"
import * as AmpDecimalWire from "./AmpDecimalWire.ts"
import { type Fields, make as makeFields, type TypeOf } from "./AmpFields.ts"
import * as AmpListWire from "./AmpListWire.ts"
import { register, wireOf } from "./AmpSchema.ts"
import * as AmpValueWire from "./AmpValueWire.ts"
import type { ValueCodec } from "./AmpValueWire.ts"
import * as AmpWire from "./AmpWire.ts"

/** A schema that decodes the bytes of a value. */
export interface Argument<S extends Schema.Constraint> extends Schema.decodeTo<S, typeof Schema.Uint8Array> {}

const asEffect = <A>(result: Result.Result<A, string>): Effect.Effect<A, SchemaIssue.Issue> =>
  Result.isSuccess(result)
    ? Effect.succeed(result.success)
    : Effect.fail(new SchemaIssue.InvalidValue({ message: result.failure }))

/** An argument of your own: what it is, and how its bytes are written. */
export const make = <A, S extends Schema.Codec<A, A>>(type: S, wire: ValueCodec<A>): Argument<S> => {
  const schema = Schema.Uint8Array.pipe(
    Schema.decodeTo(
      type as Schema.Codec<A, A>,
      SchemaTransformation.transformEffect<A, Uint8Array>({
        decode: (bytes) => asEffect(wire.decode(bytes)),
        encode: (value) => asEffect(wire.encode(value))
      })
    )
  ) as unknown as Argument<S>
  register(schema, wire)
  return schema
}

/** Whole numbers up to 2^53 - 1, in decimal. Twisted: `Integer`, which has no bound: see `BigInteger`. */
export const Integer: Argument<typeof Schema.Number> = make(Schema.Number, AmpValueWire.integer)

/** Whole numbers of up to 4,300 digits. Twisted: `Integer`. */
export const BigInteger: Argument<typeof Schema.BigInt> = make(Schema.BigInt, AmpValueWire.bigInteger)

/** Bytes, as they are: a view of what came in. Twisted: `String`. */
export const String: Argument<typeof Schema.Uint8Array> = make(Schema.Uint8Array, AmpValueWire.string)

/** Text, in UTF-8. Twisted: `Unicode`. */
export const Unicode: Argument<typeof Schema.String> = make(Schema.String, AmpValueWire.unicode)

/** `1.5`, `1e+16`, `inf`, `nan`, as Python writes floats. Twisted: `Float`. */
export const Float: Argument<typeof Schema.Number> = make(Schema.Number, AmpValueWire.float)

/** `True` or `False`. Twisted: `Boolean`. */
export const Boolean: Argument<typeof Schema.Boolean> = make(Schema.Boolean, AmpValueWire.boolean)

/** An absolute path, normalized. It is the peer's word: check it before a file is opened by it. Twisted: `Path`. */
export const Path: Argument<typeof Schema.String> = make(Schema.String, AmpValueWire.path)

/** All that a Python `Decimal` can be, infinities and NaNs too. Twisted: `Decimal`. */
export const Decimal: Argument<Schema.declare<AmpDecimalWire.Decimal>> = make(
  Schema.declare<AmpDecimalWire.Decimal>(
    (u): u is AmpDecimalWire.Decimal => typeof u === "object" && u !== null && "_tag" in u
  ),
  AmpDecimalWire.decimal
)

/** The decimals that are Effect's `BigDecimal`, with their precision: finite, no minus zero, exponents up to 10,000. Twisted: `Decimal`. */
export const BigDecimalValue: Argument<typeof Schema.BigDecimal> = make(Schema.BigDecimal, {
  decode: (bytes) =>
    Result.flatMap(AmpDecimalWire.decimal.decode(bytes), (value) => {
      const converted = AmpDecimalWire.toBigDecimal(value)
      return converted === undefined
        ? Result.fail(`${AmpDecimalWire.format(value).slice(0, 40)} is no BigDecimal`)
        : Result.succeed(converted)
    }),
  encode: (value: BigDecimal.BigDecimal) =>
    AmpDecimalWire.decimal.encode(AmpDecimalWire.fromBigDecimal(value))
})

/** Date, time to the microsecond, and offset. Twisted: `DateTime`. */
export const DateTime: Argument<Schema.declare<AmpDateTimeWire.DateTime>> = make(
  Schema.declare<AmpDateTimeWire.DateTime>(
    (u): u is AmpDateTimeWire.DateTime => typeof u === "object" && u !== null && "microsecond" in u
  ),
  AmpDateTimeWire.dateTime
)

/** The same as Effect's `DateTime.Zoned`, which knows milliseconds: what is below them is cut off. Twisted: `DateTime`. */
export const DateTimeZoned: Argument<Schema.declare<EffectDateTime.Zoned>> = make(
  Schema.declare<EffectDateTime.Zoned>(
    (u): u is EffectDateTime.Zoned => EffectDateTime.isDateTime(u) && EffectDateTime.isZoned(u)
  ),
  {
    decode: (bytes) =>
      Result.map(AmpDateTimeWire.dateTime.decode(bytes), (value) =>
        EffectDateTime.makeZonedUnsafe(AmpDateTimeWire.toEpochMillis(value), {
          timeZone: EffectDateTime.zoneMakeOffset(value.offsetMinutes * 60_000)
        })
      ),
    encode: (value: EffectDateTime.Zoned) =>
      AmpDateTimeWire.dateTime.encode(
        AmpDateTimeWire.fromEpochMillis(
          value.epochMilliseconds,
          Math.floor(EffectDateTime.zonedOffset(value) / 60_000)
        )
      )
  }
)

/**
 * An open file, socket or pipe, which goes to the peer itself: over UNIX sockets, where the reactor can (`NodeDescriptorReactor`).
 * The number is that of this process, and whoever gets it closes it; what is sent stays open here. Twisted: `Descriptor`.
 */
export const Descriptor: Argument<typeof Schema.Number> = make(Schema.Number, descriptorWire)

/** A list of values of one type, together and each at most 65,535 bytes. Twisted: `ListOf`. */
export const ListOf = <A>(
  element: Schema.Codec<A, Uint8Array>
): Argument<Schema.declare<ReadonlyArray<A>>> => {
  const wire = wireOf(element)
  return make(
    Schema.declare<ReadonlyArray<A>>((u): u is ReadonlyArray<A> => Array.isArray(u)),
    {
      decode: (bytes) => Result.flatMap(AmpListWire.split(bytes), (elements) => each(elements, wire.decode)),
      encode: (values: ReadonlyArray<A>) => Result.flatMap(each(values, wire.encode), AmpListWire.join)
    }
  )
}

/** A list of boxes with these fields. Twisted: `AmpList`. */
export const AmpList = <const F extends Fields>(
  fields: F
): Argument<Schema.declare<ReadonlyArray<TypeOf<F>>>> => {
  const record = makeFields(fields)
  return make(
    Schema.declare<ReadonlyArray<TypeOf<F>>>((u): u is ReadonlyArray<TypeOf<F>> => Array.isArray(u)),
    {
      decode: (bytes) => {
        const boxes = AmpWire.decodeAll(bytes, { boxesMax: AmpListWire.elementsMax })
        return Result.isSuccess(boxes)
          ? each(boxes.success, record.decode)
          : Result.fail(boxes.failure.reason.message)
      },
      encode: (values: ReadonlyArray<TypeOf<F>>) => {
        if (values.length > AmpListWire.elementsMax) {
          return Result.fail(`a list of more than ${AmpListWire.elementsMax} boxes`)
        }
        const boxes = each(values, (value) =>
          Result.flatMap(record.encode(value, "some"), (pairs) =>
            Result.mapError(AmpWire.encodePairs(pairs), (tooLong) => tooLong.message)
          )
        )
        return Result.map(boxes, (all) => new Uint8Array(Buffer.concat(all)))
      }
    }
  )
}

/** A field that may be left out. The same as `Schema.optionalKey`. Twisted: `optional=True`. */
export const optional: typeof Schema.optionalKey = Schema.optionalKey

const each = <A, B>(
  values: ReadonlyArray<A>,
  f: (value: A) => Result.Result<B, string>
): Result.Result<ReadonlyArray<B>, string> => {
  const all: Array<B> = []
  for (const value of values) {
    const result = f(value)
    if (Result.isFailure(result)) return Result.fail(result.failure)
    all.push(result.success)
  }
  return Result.succeed(all)
}
