import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"

type Resume<A, E = never> = (effect: Effect.Effect<A, E>) => void

/**
 * From one who writes to one who pulls, holding nothing: a write lasts until what it gave is done with, which is when the
 * next is asked for.
 */
export class Handoff<E> {
  /** Whoever has nothing to work on. */
  private asking: Resume<NonEmptyReadonlyArray<Uint8Array>, Cause.Done> | undefined = undefined
  /** A write that nobody asked for yet. */
  private offered: { readonly bytes: Uint8Array; readonly resume: Resume<void, E> } | undefined = undefined
  /** The write that is worked on. */
  private working: Resume<void, E> | undefined = undefined
  private ended = false
  private refusal: Effect.Effect<never, E> | undefined = undefined

  readonly pull: Pull.Pull<NonEmptyReadonlyArray<Uint8Array>> = Effect.callback((resume) => {
    const { offered, working } = this
    this.working = undefined
    if (offered !== undefined) {
      this.offered = undefined
      this.working = offered.resume
      resume(Effect.succeed([offered.bytes]))
    } else if (this.ended) {
      resume(Effect.fail(Cause.Done()))
    } else {
      this.asking = resume
    }
    working?.(Effect.void)
    return Effect.sync(() => {
      if (this.asking === resume) this.asking = undefined
    })
  })

  /** One at a time. */
  write(bytes: Uint8Array): Effect.Effect<void, E> {
    return Effect.callback((resume) => {
      if (this.refusal !== undefined) return resume(this.refusal)
      const { asking } = this
      if (asking === undefined) {
        const offered = { bytes, resume }
        this.offered = offered
        return Effect.sync(() => {
          if (this.offered === offered) this.offered = undefined
        })
      }
      this.asking = undefined
      this.working = resume
      asking(Effect.succeed([bytes]))
      return undefined
    })
  }

  /** Nothing more comes. */
  end(): void {
    this.ended = true
    const { asking } = this
    this.asking = undefined
    asking?.(Effect.fail(Cause.Done()))
  }

  /** Nobody asks any more: writes fail so. */
  refuse(refusal: Effect.Effect<never, E>): void {
    this.refusal = refusal
    const { offered, working } = this
    this.offered = undefined
    this.working = undefined
    working?.(refusal)
    offered?.resume(refusal)
  }
}
