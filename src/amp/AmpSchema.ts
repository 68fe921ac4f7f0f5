/** The way from a schema to bytes and back. Those that this folder made go there straight; any other by Effect's `Schema`. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ValueCodec } from "./AmpValueWire.ts"

/** A schema of a value that is one string of bytes. */
export type AnyArgument = Schema.Codec<unknown, Uint8Array>

const known = new WeakMap<object, ValueCodec<unknown>>()

export const register = <A>(schema: Schema.Constraint, wire: ValueCodec<A>): void => {
  known.set(schema.ast, wire as ValueCodec<unknown>)
}

export const wireOf = <A>(schema: Schema.Codec<A, Uint8Array>): ValueCodec<A> =>
  (known.get(unwrap(schema).ast) as ValueCodec<A> | undefined) ?? bySchema(schema)

export const isOptional = (schema: AnyArgument): boolean => schema.ast.context?.isOptional === true

/** What `Schema.optionalKey` was given. */
const unwrap = (schema: Schema.Constraint): Schema.Constraint =>
  "schema" in schema && schema.ast.context?.isOptional === true && Schema.isSchema(schema.schema)
    ? schema.schema
    : schema

const bySchema = <A>(schema: Schema.Codec<A, Uint8Array>): ValueCodec<A> => {
  const decode = Schema.decodeUnknownResult(schema)
  const encode = Schema.encodeUnknownResult(schema)
  return {
    decode: (bytes) => Result.mapError(decode(bytes), (error) => error.message),
    encode: (value) => Result.mapError(encode(value), (error) => error.message)
  }
}
