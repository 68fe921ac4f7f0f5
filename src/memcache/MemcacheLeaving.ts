/** Conversations that are told when the server they belong to wants to stop: a fiber for a server that has some, none for each of them. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

export interface Leaver {
  /** Called once. */
  readonly leave: () => void
}

interface Group {
  readonly leavers: Set<Leaver>
  watch: Fiber.Fiber<void> | undefined
}

export class MemcacheLeaving {
  /** By what completes when the server wants to stop. */
  private readonly groups = new Map<Effect.Effect<void>, Group>()

  /** From now on; gives how to be left out again. */
  join(stopping: Effect.Effect<void>, leaver: Leaver): Effect.Effect<() => void> {
    return Effect.suspend(() => {
      // Of no server: nobody will ever ask.
      if (stopping === Effect.never) return Effect.succeed(() => {})
      const known = this.groups.get(stopping)
      const group = known ?? { leavers: new Set(), watch: undefined }
      group.leavers.add(leaver)
      const leftOut = () => this.leftOut(stopping, group, leaver)
      if (known !== undefined) return Effect.succeed(leftOut)
      this.groups.set(stopping, group)
      return Effect.map(
        Effect.forkDetach(Effect.andThen(stopping, this.tell(stopping, group)), { startImmediately: true }),
        (watch) => {
          group.watch = watch
          return leftOut
        }
      )
    })
  }

  private tell(stopping: Effect.Effect<void>, group: Group): Effect.Effect<void> {
    return Effect.sync(() => {
      this.forget(stopping, group)
      for (const leaver of group.leavers) leaver.leave()
    })
  }

  private leftOut(stopping: Effect.Effect<void>, group: Group, leaver: Leaver): void {
    group.leavers.delete(leaver)
    if (group.leavers.size > 0) return
    this.forget(stopping, group)
    group.watch?.interruptUnsafe()
  }

  private forget(stopping: Effect.Effect<void>, group: Group): void {
    if (this.groups.get(stopping) === group) this.groups.delete(stopping)
  }
}
