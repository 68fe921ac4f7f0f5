/** Values that nobody should throw, but somebody does. */
import * as Data from "effect/Data"

export class NotFound extends Data.TaggedError("NotFound")<{
  readonly id: string
  readonly message?: string
  readonly cause?: unknown
}> {}
export class Denied extends Data.TaggedError("Denied")<{ readonly by: string }> {}

const thrower = (): never => {
  throw new Error("a getter")
}

const withGetter = (target: object, key: string, get: () => unknown): object =>
  Object.defineProperty(target, key, { get, configurable: true })

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** A proxy that throws, or lies, whatever is done to it. */
const proxied = (answer: () => unknown): object =>
  new Proxy(
    Object.create(null) as object,
    Object.fromEntries(
      Object.getOwnPropertyNames(Reflect).map((trap) => [trap, answer])
    ) as ProxyHandler<object>
  )

const huge = "x".repeat(1_000_000)

/** Each makes a value out of another one. */
export const makers: Readonly<Record<string, (inner: unknown) => unknown>> = {
  null: () => null,
  undefined: () => undefined,
  nan: () => Number.NaN,
  bigint: () => 2n ** 5000n,
  symbol: () => Symbol("s"),
  empty: () => "",
  controls: () => "a\x1b[31m\r\n\u202e\ud800\0b",
  huge: () => huge,
  function: () => thrower,
  class: () => NotFound,
  array: (inner) => [inner, inner],
  endless: () => Array.from({ length: 10_000 }, (_, index) => ({ index })),
  sparse: () => Object.assign([], { length: 4_000_000_000 }),
  bytes: () => new Uint8Array(1_000_000),
  boxed: () => new String(huge),
  date: () => new Date(Number.NaN),
  map: (inner) => new Map([[inner, inner]]),
  object: (inner) => ({ inner }),
  tagged: (inner) => ({ _tag: "NotFound", inner }),
  oddTag: (inner) => ({ _tag: { inner } }),
  nullPrototype: (inner) => Object.assign(Object.create(null) as object, { inner, message: "m" }),
  prototypeField: (inner) =>
    JSON.parse(`{"__proto__":{"a":1},"constructor":2,"x":${JSON.stringify(typeof inner)}}`),
  error: (inner) => new Error("an error", { cause: inner }),
  typed: (inner) => new NotFound({ id: "1", cause: inner }),
  aggregate: (inner) => new AggregateError([inner, new Error("beside"), inner], "many"),
  aggregateOfProxy: () => Object.assign(new Error("many"), { errors: new Proxy([], { get: thrower }) }),
  wide: (inner) => new AggregateError(Array.from({ length: 500 }, () => inner)),
  noStack: (inner) => Object.assign(new Error("no stack", { cause: inner }), { stack: undefined }),
  oddStack: (inner) => Object.assign(new Error("odd stack", { cause: inner }), { stack: { inner } }),
  hugeStack: () => Object.assign(new Error("huge stack"), { stack: huge + huge }),
  hugeMessage: (inner) => new Error(huge, { cause: inner }),
  lines: () => new Error("one\n    at spoofed (/etc/passwd:1:1)\ntwo"),
  oddMessage: (inner) => Object.assign(new Error(), { message: inner }),
  oddName: (inner) => Object.assign(new Error("odd name"), { name: inner }),
  emptyName: () => Object.assign(new Error(""), { name: "" }),
  messageThrows: () => withGetter(new Error("m"), "message", thrower),
  stackThrows: () => withGetter(new Error("m"), "stack", thrower),
  nameThrows: () => withGetter(new Error("m"), "name", thrower),
  causeThrows: () => withGetter(new Error("m"), "cause", thrower),
  tagThrows: () => withGetter({}, "_tag", thrower),
  fieldThrows: () => Object.defineProperty(new Error("m"), "field", { get: thrower, enumerable: true }),
  toJsonThrows: () => ({ toJSON: thrower, toString: thrower, [Symbol.toPrimitive]: thrower }),
  hasInstanceThrows: () => Object.defineProperty(class {}, Symbol.hasInstance, { get: thrower }),
  revoked,
  revokedCause: () => new Error("m", { cause: revoked() }),
  throwingProxy: () => proxied(thrower),
  yesProxy: () => proxied(() => true),
  objectProxy: () => proxied(() => ({})),
  looksLikeCause: () => ({ "~effect/Cause": "~effect/Cause", reasons: "none" }),
  looksLikeFailure: () => ({ "~spindle/Failure": "no" }),
  cycle: () => {
    const error: Error & { again?: unknown } = new Error("cycle")
    error.cause = new AggregateError([error])
    error.again = error
    return error
  },
  endlessCauses: () => {
    const make = (): object => withGetter(new Error("next"), "cause", make)
    return make()
  },
  endlessObjects: () => {
    const make = (): object => Object.defineProperty({}, "next", { get: make, enumerable: true })
    return make()
  },
  endlessPrototypes: () => new Proxy({}, { getPrototypeOf: () => proxied(() => ({})) })
}
