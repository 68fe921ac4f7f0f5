/**
 * The walls of a world. While it runs, within one call, nothing else does: so what the platform offers globally can be
 * replaced for that long. Time and chance answer with the world's; what would go on without the world is told, with the
 * place, and ends the run.
 */
import * as Fiber from "effect/Fiber"
import type { Engine } from "./Engine.ts"
import type { HardwareClock } from "./MachineClock.ts"
import * as Nanos from "./Nanos.ts"

/** What goes on by itself, outside. */
const forbidden = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"] as const

type Restore = () => void

/** Runs `body` behind walls; `clock` is that of whoever asks the platform. */
export const within = <A>(engine: Engine, clock: HardwareClock, body: () => A): A => {
  const restores: Array<Restore> = []
  const wall = (object: object, name: string, value: unknown) => restores.push(replace(object, name, value))
  try {
    for (const name of forbidden) {
      if (typeof Reflect.get(globalThis, name) === "function") {
        wall(globalThis, name, () => found(engine, name))
      }
    }
    wallTime(engine, clock, wall)
    wallChance(engine, wall)
    wallProcess(engine, clock, wall)
    // Nobody in the world can be resumed by a promise: waiting for one is found where it begins.
    wall(Promise.prototype, "then", promiseThen(engine))
    return body()
  } finally {
    for (const restore of restores.reverse()) restore()
  }
}

/** What is open on the platform now, with its count: a run that waits for the outside has more of it in the end. */
export const resources = (): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const name of platformProcess()?.getActiveResourcesInfo?.() ?? []) {
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** What there is more of than before. */
export const added = (before: ReadonlyMap<string, number>): ReadonlyArray<string> =>
  [...resources()].flatMap(([name, count]) => (count > (before.get(name) ?? 0) ? [name] : []))

type Wall = (object: object, name: string, value: unknown) => void

const wallTime = (engine: Engine, clock: HardwareClock, wall: Wall): void => {
  const now = () => clock.wallMillis
  const original = Date
  const virtual = new Proxy(original, {
    construct: (target, args: Array<unknown>, made) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, made) as object,
    apply: (target) => String(Reflect.construct(target, [now()]))
  })
  wall(Date, "now", now)
  wall(globalThis, "Date", virtual)
  wall(performance, "now", () => engine.now / Nanos.perMilli)
}

const wallChance = (engine: Engine, wall: Wall): void => {
  const chance = engine.seed.fork("global")
  wall(Math, "random", () => chance.nextDoubleUnsafe())
  const { crypto } = globalThis as { readonly crypto?: object }
  if (crypto === undefined) return
  const fill = <A extends ArrayBufferView>(array: A): A => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    for (let i = 0; i < bytes.length; i++) bytes[i] = chance.below(256)
    return array
  }
  wall(crypto, "getRandomValues", fill)
  wall(crypto, "randomUUID", () => {
    const bytes = fill(new Uint8Array(16))
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
  })
}

interface PlatformProcess {
  readonly getActiveResourcesInfo?: () => ReadonlyArray<string>
}

const platformProcess = (): PlatformProcess | undefined =>
  (globalThis as { readonly process?: PlatformProcess }).process

const wallProcess = (engine: Engine, clock: HardwareClock, wall: Wall): void => {
  const process = platformProcess()
  if (process === undefined) return
  const nextTick = Reflect.get(process, "nextTick") as (...args: ReadonlyArray<unknown>) => unknown
  wall(process, "nextTick", (...args: ReadonlyArray<unknown>) => {
    // What is printed leaves by the platform's streams.
    if (platformCalls(new Error("nextTick").stack)) nextTick.call(process, ...args)
    else found(engine, "nextTick")
  })
  const hrtime = (before?: readonly [number, number]): [number, number] => {
    const nanos = Math.round(clock.elapsed) - (before === undefined ? 0 : before[0] * 1e9 + before[1])
    return [Math.floor(nanos / 1e9), nanos % 1e9]
  }
  wall(process, "hrtime", Object.assign(hrtime, { bigint: () => BigInt(Math.round(clock.elapsed)) }))
}

/** Whether the caller of whoever made the stack is the platform itself. */
const platformCalls = (stack = ""): boolean => stack.split("\n")[2]?.includes("node:internal/") === true

const promiseThen = (engine: Engine) => {
  const original = Reflect.get(Promise.prototype, "then") as (...args: ReadonlyArray<unknown>) => unknown
  return function (this: unknown, ...args: ReadonlyArray<unknown>): unknown {
    found(engine, "a promise was waited for")
    return original.apply(this, [...args])
  }
}

const replace = (object: object, name: string, value: unknown): Restore => {
  const original = Object.getOwnPropertyDescriptor(object, name)
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: false })
  return () => {
    if (original === undefined) Reflect.deleteProperty(object, name)
    else Object.defineProperty(object, name, original)
  }
}

const found = (engine: Engine, what: string): void => {
  engine.touched(what, Fiber.getCurrent(), new Error(what).stack)
}
