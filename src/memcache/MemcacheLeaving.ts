/** Conversations that are told when the server they belong to wants to stop: a fiber for each server, none for a conversation. */
import * as Effect from "effect/Effect"

export interface Leaver {
  /** Called once. */
  readonly leave: () => void
}

export class MemcacheLeaving {
  /** By what completes when the server wants to stop. */
  private readonly servers = new Map<Effect.Effect<void>, Set<Leaver>>()

  /** From now on; gives how to be left out again. */
  join(stopping: Effect.Effect<void>, leaver: Leaver): Effect.Effect<() => void> {
    // Of no server: nobody will ever ask.
    if (stopping === Effect.never) return Effect.succeed(() => {})
    const known = this.servers.get(stopping)
    const leavers = known ?? new Set()
    leavers.add(leaver)
    const leftOut = () => void leavers.delete(leaver)
    if (known !== undefined) return Effect.succeed(leftOut)
    this.servers.set(stopping, leavers)
    const tell = Effect.sync(() => {
      this.servers.delete(stopping)
      for (const leaver of leavers) leaver.leave()
    })
    return Effect.as(Effect.forkDetach(Effect.andThen(stopping, tell), { startImmediately: true }), leftOut)
  }
}
