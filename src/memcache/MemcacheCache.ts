/** A cache as its users see it, over one connection or over many: typed commands, and what their answers mean. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Command from "./MemcacheCommand.ts"
import { Malformed, MemcacheError } from "./MemcacheError.ts"
import type { Reply } from "./MemcacheReplyWire.ts"
import { relativeSecondsMax, wordAt } from "./MemcacheWire.ts"

export interface Value {
  readonly value: Uint8Array
  /** What whoever stored it said of it: 32 bits of any meaning. */
  readonly flags: number
}

export interface ValueWithCas extends Value {
  /** Changes whenever the value does. Of no other meaning. */
  readonly cas: string
}

export interface StoreOptions {
  /** Default 0. */
  readonly flags?: number | undefined
  /** How long it is kept at most. Default: until there is no room. */
  readonly expiry?: Duration.Input | undefined
}

export interface SetOptions extends StoreOptions {
  /**
   * Goes on as soon as it is sent: nobody hears whether it was stored. If the server complains of the line all the same, the
   * connection ends. Default false.
   */
  readonly noreply?: boolean | undefined
}

export interface MetaReply {
  /** `HD`, `VA`, `EN`, `NF`, `NS`, `EX`, `MN`, `ME`. */
  readonly status: string
  /** As written: a letter, and perhaps a token behind it. */
  readonly flags: ReadonlyArray<string>
  readonly value: Uint8Array | undefined
}

type Bytes = Uint8Array | string

/** `E`: what may come between a command and its answer. */
export interface Cache<out E> {
  readonly get: (key: string) => Effect.Effect<Value | undefined, E>
  readonly gets: (key: string) => Effect.Effect<ValueWithCas | undefined, E>
  /** Those that are there. */
  readonly getMany: (keys: Iterable<string>) => Effect.Effect<ReadonlyMap<string, ValueWithCas>, E>
  readonly getAndTouch: (key: string, expiry: Duration.Input) => Effect.Effect<Value | undefined, E>
  /** Text is UTF-8. */
  readonly set: (key: string, value: Bytes, options?: SetOptions) => Effect.Effect<void, E>
  /** Only if there is none. Whether it was stored. */
  readonly add: (key: string, value: Bytes, options?: StoreOptions) => Effect.Effect<boolean, E>
  /** Only if there is one. */
  readonly replace: (key: string, value: Bytes, options?: StoreOptions) => Effect.Effect<boolean, E>
  readonly append: (key: string, value: Bytes) => Effect.Effect<boolean, E>
  readonly prepend: (key: string, value: Bytes) => Effect.Effect<boolean, E>
  /** Only if it is still as it was when `gets` gave that CAS. Twisted: `checkAndSet`. */
  readonly compareAndSet: (
    key: string,
    value: Bytes,
    cas: string,
    options?: StoreOptions
  ) => Effect.Effect<"Stored" | "Changed" | "Gone", E>
  /** Whether it was there. */
  readonly delete: (key: string) => Effect.Effect<boolean, E>
  readonly touch: (key: string, expiry: Duration.Input) => Effect.Effect<boolean, E>
  /** The new number, of 64 bits, running over; `undefined` if there is none. Default delta 1. */
  readonly increment: (key: string, delta?: bigint | number) => Effect.Effect<bigint | undefined, E>
  /** Never below 0. */
  readonly decrement: (key: string, delta?: bigint | number) => Effect.Effect<bigint | undefined, E>
  /** A meta command, for what the others do not do. */
  readonly meta: (
    command: "mg" | "ms" | "md" | "ma" | "me",
    key: string,
    flags?: ReadonlyArray<string>,
    value?: Bytes
  ) => Effect.Effect<MetaReply, E>
}

/** What concerns a whole server. */
export interface Administration<out E> {
  readonly stats: (about?: string) => Effect.Effect<ReadonlyMap<string, string>, E>
  readonly version: Effect.Effect<string, E>
  /** Everything is gone, at once or after a delay. */
  readonly flushAll: (delay?: Duration.Input) => Effect.Effect<void, E>
  readonly verbosity: (level: number) => Effect.Effect<void, E>
}

/** How a server is asked: all replies to a command. */
export type Call<E> = (command: Command.Command) => Effect.Effect<ReadonlyArray<Reply>, E>

const bytesOf = (value: Bytes): Uint8Array => (typeof value === "string" ? Buffer.from(value) : value)

const confused = (operation: string, { line }: { readonly line: string }): MemcacheError =>
  new MemcacheError({
    operation,
    reason: new Malformed({ detail: `no answer to that: ${line.slice(0, 80)}` })
  })

/** Keys asked for in one command, unless told otherwise. */
const keysPerGetDefault = 100

/** With seconds, or a date where they are too many. */
const withTime = <A, E>(
  expiry: Duration.Input | undefined,
  f: (time: number) => Effect.Effect<A, E>
): Effect.Effect<A, E> => {
  if (expiry === undefined) return f(0)
  const seconds = Math.ceil(Duration.toSeconds(expiry))
  if (!Number.isFinite(seconds)) return f(0)
  // 0 would be for ever.
  if (seconds <= relativeSecondsMax) return f(seconds === 0 ? -1 : seconds)
  return Effect.flatMap(Clock.currentTimeMillis, (now) => f(Math.ceil(now / 1000) + seconds))
}

/** A value from `VALUE key flags bytes [cas]`. */
const valueOf = ({ block, line }: Reply): ValueWithCas | undefined =>
  block === undefined || !line.startsWith("VALUE ")
    ? undefined
    : { value: block, flags: Number(wordAt(line, 2)), cas: wordAt(line, 4) ?? "" }

/** `route` gives the way to whoever has a key, by an index; `getMany` asks for 100 keys in one command, unless told otherwise. */
export const make = <E>(
  route: (key: string) => number,
  calls: ReadonlyArray<Call<E>>,
  keysPerGet = keysPerGetDefault
): Cache<E | MemcacheError> => {
  const ask = (key: string, said: Command.Said): Effect.Effect<ReadonlyArray<Reply>, E | MemcacheError> =>
    said._tag === "Failure" ? Effect.fail(said.failure) : calls[route(key)]!(said.success)

  /** The last line, as one of a few. */
  const told = <A>(key: string, said: Command.Said, answers: Readonly<Record<string, A>>) =>
    Effect.flatMap(ask(key, said), (replies): Effect.Effect<A, MemcacheError> => {
      const last = replies.at(-1)!
      return Object.hasOwn(answers, last.line)
        ? Effect.succeed(answers[last.line]!)
        : Effect.fail(confused(said._tag === "Success" ? said.success.operation : "", last))
    })

  const getting = (command: string, key: string) =>
    Effect.flatMap(ask(key, Command.get(command, [key])), (replies) => {
      if (replies.length === 1) return Effect.undefined
      const found = valueOf(replies[0]!)
      return found === undefined ? Effect.fail(confused(command, replies[0]!)) : Effect.succeed(found)
    })

  const storing = <A>(
    operation: string,
    key: string,
    value: Bytes,
    { expiry, flags = 0 }: StoreOptions,
    answers: Readonly<Record<string, A>>,
    cas?: string
  ) =>
    withTime(expiry, (time) =>
      told(key, Command.store(operation, key, bytesOf(value), flags, time, cas), answers)
    )

  const counting = (operation: "incr" | "decr", key: string, delta: bigint | number) =>
    Effect.flatMap(
      // `count` refuses what is below 0.
      ask(
        key,
        Command.count(
          operation,
          key,
          typeof delta === "number" && !Number.isSafeInteger(delta) ? -1n : BigInt(delta)
        )
      ),
      ([reply]): Effect.Effect<bigint | undefined, MemcacheError> => {
        const line = reply!.line.trimEnd()
        if (line === "NOT_FOUND") return Effect.undefined
        return /^\d{1,20}$/.test(line)
          ? Effect.succeed(BigInt(line))
          : Effect.fail(confused(operation, reply!))
      }
    )

  const isStored = { STORED: true, NOT_STORED: false }

  return {
    get: (key) => getting("get", key),
    gets: (key) => getting("gets", key),
    getMany: Effect.fnUntraced(function* (keys) {
      const groups = new Map<number, Array<string>>()
      for (const key of new Set(keys)) {
        const at = route(key)
        const group = groups.get(at)
        if (group === undefined) groups.set(at, [key])
        else group.push(key)
      }
      const commands = [...groups.values()].flatMap((group) =>
        Array.from({ length: Math.ceil(group.length / keysPerGet) }, (_, i) =>
          group.slice(i * keysPerGet, (i + 1) * keysPerGet)
        )
      )
      const found = new Map<string, ValueWithCas>()
      const latin1 = new Map(commands.flat().map((key) => [Buffer.from(key).toString("latin1"), key]))
      const all = yield* Effect.forEach(commands, (some) => ask(some[0]!, Command.get("gets", some)), {
        concurrency: "unbounded"
      })
      for (const reply of all.flat()) {
        const value = valueOf(reply)
        const key = value === undefined ? undefined : latin1.get(wordAt(reply.line, 1) ?? "")
        if (value !== undefined && key !== undefined) found.set(key, value)
        else if (reply.line !== "END") return yield* confused("gets", reply)
      }
      return found
    }),
    getAndTouch: (key, expiry) => withTime(expiry, (time) => getting(`gat ${time}`, key)),
    set: (key, value, options = {}) =>
      options.noreply === true
        ? withTime(options.expiry, (time) =>
            Effect.asVoid(ask(key, Command.storeQuietly(key, bytesOf(value), options.flags ?? 0, time)))
          )
        : storing("set", key, value, options, { STORED: undefined }),
    add: (key, value, options = {}) => storing("add", key, value, options, isStored),
    replace: (key, value, options = {}) => storing("replace", key, value, options, isStored),
    append: (key, value) => storing("append", key, value, {}, isStored),
    prepend: (key, value) => storing("prepend", key, value, {}, isStored),
    compareAndSet: (key, value, cas, options = {}) =>
      storing(
        "cas",
        key,
        value,
        options,
        { STORED: "Stored", EXISTS: "Changed", NOT_FOUND: "Gone" } as const,
        cas
      ),
    delete: (key) => told(key, Command.remove(key), { DELETED: true, NOT_FOUND: false }),
    touch: (key, expiry) =>
      withTime(expiry, (time) => told(key, Command.touch(key, time), { TOUCHED: true, NOT_FOUND: false })),
    increment: (key, delta = 1n) => counting("incr", key, delta),
    decrement: (key, delta = 1n) => counting("decr", key, delta),
    meta: (command, key, flags = [], value) =>
      Effect.map(
        ask(key, Command.meta(command, key, flags, value === undefined ? undefined : bytesOf(value))),
        ([reply]): MetaReply => {
          const [status = "", ...words] = reply!.line.split(" ")
          return { status, flags: reply!.block === undefined ? words : words.slice(1), value: reply!.block }
        }
      )
  }
}

export const administration = <E>(call: Call<E>): Administration<E | MemcacheError> => {
  const ask = (said: Command.Said): Effect.Effect<ReadonlyArray<Reply>, E | MemcacheError> =>
    said._tag === "Failure" ? Effect.fail(said.failure) : call(said.success)
  return {
    stats: (about = "") =>
      Effect.map(ask(Command.stats(about)), (replies) => {
        const found = new Map<string, string>()
        for (const { line } of replies) {
          const [, name, value] = /^STAT (\S+) ?(.*)$/.exec(line) ?? []
          if (name !== undefined && value !== undefined) found.set(name, value)
        }
        return found
      }),
    version: Effect.map(ask(Command.version), ([reply]) => reply!.line.replace(/^VERSION /, "")),
    flushAll: (delay) => withTime(delay, (time) => Effect.asVoid(ask(Command.flushAll(Math.max(0, time))))),
    verbosity: (level) => Effect.asVoid(ask(Command.verbosity(level)))
  }
}
