/**
 * What a process holds of its platform, with who made it and where: sockets, servers, pipes, child processes, workers,
 * timers, watched files, open files. `spindle/testing`'s `LeakCheck` asks; a program may, too.
 *
 * Handles are seen being made by an async hook, which is told nothing of promises (they are all that makes such hooks
 * slow; before Node 24.12 it is) and nothing of ends: whether a handle is still open, it says itself.
 */
import { AsyncLocalStorage, createHook } from "node:async_hooks"
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as Files from "./NodeLeaksFiles.ts"
import * as Handle from "./NodeLeaksHandle.ts"
import * as Generators from "./NodeGenerators.ts"

/** Something open, with what `note` said when it was made. */
export interface Held<Note> {
  /** `socket`, `server`, `timer`, ... */
  readonly kind: string
  readonly what: string
  readonly note: Note
}

interface Entry<Note> {
  readonly type: string
  readonly resource: object
  readonly note: Note
}

/** The watch over this process. There is one; it goes on until the process ends, or `stop`. */
export interface Watch<Note> {
  /** Notes of what is still open, in the order it was made. */
  readonly held: () => ReadonlyArray<Held<Note>>
  /** Types of what keeps the process alive, as `process.getActiveResourcesInfo` has them, without timers. */
  readonly active: () => ReadonlyArray<string>
  readonly stop: () => void
}

/**
 * Notes what is made from now on. `note` is called at each, on the stack that makes it; what it says is kept with it.
 * `generators` tells whether the place is worth looking for in the running fiber, too.
 */
export const watch = <Note extends object>(note: (generators: boolean) => Note): Watch<Note> => {
  let entries: Array<Entry<Note>> = []
  const servers = new Map<number, Note>()
  let sweepAt = 1000
  let noting = false

  const sweep = (): void => {
    entries = entries.filter(({ type, resource }) => Handle.isOpen(type, resource))
    sweepAt = 1000 + 2 * entries.length
  }

  const keep = (type: string, resource: object, note: Note): void => {
    entries.push({ type, resource, note })
    if (entries.length > sweepAt) sweep()
  }

  const take = (generators: boolean): Note | undefined => {
    // What taking a note makes itself is nobody's.
    if (noting) return undefined
    noting = true
    try {
      return note(generators)
    } finally {
      noting = false
    }
  }

  const hook = createHook({
    init: (id, type, trigger, resource) => {
      if (!Handle.types.has(type)) return
      // What a server accepts is made on no stack, and a server itself after its address was looked up.
      const asked = Handle.isServer(type) ? listening.getStore() : undefined
      const taken = servers.get(trigger) ?? asked ?? take(type !== "Timeout")
      if (taken === undefined) return
      keep(type, resource, taken)
      if (Handle.isServer(type)) servers.set(id, taken)
    },
    trackPromises: false
  })
  const { listen } = net.Server.prototype
  const listening = new AsyncLocalStorage<Note | undefined>()
  const watchingListen = function (this: net.Server, ...parameters: ReadonlyArray<unknown>): net.Server {
    return listening.run(take(true), () => listen.apply(this, parameters as never))
  }
  net.Server.prototype.listen = watchingListen
  Generators.warm()
  hook.enable()
  const files = Files.watch(() => {
    const taken = take(true)
    return (file) => {
      if (taken !== undefined) keep("File", file, taken)
    }
  })

  return {
    held: () => {
      sweep()
      return entries.map(({ type, resource, note }) => ({ ...Handle.describe(type, resource), note }))
    },
    active: () => process.getActiveResourcesInfo().filter((type) => type !== "Timeout"),
    stop: () => {
      hook.disable()
      if (net.Server.prototype.listen === watchingListen) net.Server.prototype.listen = listen
      files.stop()
    }
  }
}

// As they are now: tests replace them.
const { setTimeout: later, setImmediate: soon, clearTimeout: cancel } = globalThis

/** Real time for what was closed to be gone: 5 milliseconds. */
export const pause: Effect.Effect<void> = Effect.callback((resume) => {
  const timer = later(() => resume(Effect.void), 5)
  return Effect.sync(() => cancel(timer))
})

/** A turn of the event loop: what was just begun is there then. */
export const turn: Effect.Effect<void> = Effect.callback((resume) => {
  soon(() => resume(Effect.void))
})

/** Where suspended generators stand; see `NodeGenerators`. */
export const locate = Generators.locate
export const describe = Generators.describe
