/** Named values in a box: the arguments of a command, its answer, an element of an `AmpList`. */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import { type AnyArgument, isOptional, wireOf } from "./AmpSchema.ts"
import type { ValueCodec } from "./AmpValueWire.ts"
import { type Box, byCodeUnits, encodeKey, type Pair } from "./AmpWire.ts"

/** Schemas by the names that the values have on the wire, of one character for each byte. */
export interface Fields {
  readonly [name: PropertyKey]: AnyArgument
}

export type TypeOf<F extends Fields> = Schema.Struct.Type<F>

export interface FieldsCodec<A> {
  /** Names that are not among the fields are left alone. */
  readonly decode: (box: Box) => Result.Result<A, string>
  /** The pairs, sorted by key. With `all`, names that are not among the fields are a mistake. */
  readonly encode: (value: A, names: "all" | "some") => Result.Result<ReadonlyArray<Pair>, string>
}

interface Field {
  readonly name: string
  readonly encodedKey: Uint8Array
  readonly optional: boolean
  readonly wire: ValueCodec<unknown>
}

/** Throws a `RangeError` for a name that cannot be sent. */
export const make = <const F extends Fields>(fields: F): FieldsCodec<TypeOf<F>> => {
  const all = Object.keys(fields).toSorted(byCodeUnits).map(fieldOf(fields))
  const names = new Set(all.map(({ name }) => name))
  return {
    decode: (box) => {
      const value: Record<string, unknown> = {}
      for (const { name, optional, wire } of all) {
        const bytes = box.get(name)
        if (bytes === undefined) {
          if (optional) continue
          return Result.fail(`"${name}" is missing`)
        }
        const decoded = wire.decode(bytes)
        if (Result.isFailure(decoded)) return Result.fail(`"${name}": ${decoded.failure}`)
        value[name] = decoded.success
      }
      return Result.succeed(value as TypeOf<F>)
    },
    encode: (value, which) => {
      const given = value as Readonly<Record<string, unknown>>
      const pairs: Array<Pair> = []
      for (const { encodedKey, name, optional, wire } of all) {
        const one = given[name]
        if (one === undefined) {
          if (optional) continue
          return Result.fail(`"${name}" is missing`)
        }
        const encoded = encodeValue(wire, one)
        if (Result.isFailure(encoded)) return Result.fail(`"${name}": ${encoded.failure}`)
        pairs.push({ key: name, encodedKey, value: encoded.success })
      }
      if (which === "all") {
        for (const name in given) if (!names.has(name)) return Result.fail(`there is no argument "${name}"`)
      }
      return Result.succeed(pairs)
    }
  }
}

/** A program that is not type-checked may give anything. */
const encodeValue = (wire: ValueCodec<unknown>, value: unknown): Result.Result<Uint8Array, string> => {
  try {
    return wire.encode(value)
  } catch (error) {
    return Result.fail(error instanceof Error ? error.message : globalThis.String(error))
  }
}

const fieldOf =
  (fields: Fields) =>
  (name: string): Field => {
    const encodedKey = encodeKey(name)
    if (Result.isFailure(encodedKey)) {
      const why = encodedKey.failure
      throw new RangeError(typeof why === "string" ? why : why.message)
    }
    if (name === "__proto__") throw new RangeError(`"${name}" cannot be the name of a value`)
    const schema = fields[name]!
    return { name, encodedKey: encodedKey.success, optional: isOptional(schema), wire: wireOf(schema) }
  }
