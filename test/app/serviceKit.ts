/** Services that write down what happens to them, and fail when they are told to. */
import { afterEach } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import * as Failure from "../../src/result/Failure.ts"
import {
  Service,
  type ServiceError,
  ServiceInstance,
  type ServiceNode,
  type ServiceTree
} from "../../src/app/index.ts"
import { flushLoggedFailures } from "../../src/testing/LoggedFailures.ts"

// They fail on purpose, and each failure is logged.
afterEach(() => Effect.runPromise(flushLoggedFailures()))

export class Journal {
  lines: Array<string> = []
  private readonly ends = new Map<string, Deferred.Deferred<void, unknown>>()

  note(line: string): void {
    this.lines.push(line)
  }

  /** What was noted since the last time. */
  take(): ReadonlyArray<string> {
    const taken = this.lines
    this.lines = []
    return taken
  }

  /** A service that notes both phases, and runs until it is told otherwise. */
  service(
    name: string,
    options: Partial<Service.Common> & {
      readonly start?: Effect.Effect<unknown, unknown>
      readonly bind?: Effect.Effect<unknown, unknown>
      readonly ready?: Effect.Effect<unknown, unknown>
    } = {}
  ): Service.Service<never, unknown> {
    const notes = (what: string, exit: Exit.Exit<unknown, unknown>, ending: string) =>
      this.note(Exit.isSuccess(exit) ? `${what} ${name} (${ending})` : `${what} ${name} (${ending}, failed)`)
    const { ready } = options
    return Service.make({
      ...options,
      name,
      privileged: Effect.andThen(
        options.bind ?? Effect.void,
        Effect.acquireRelease(
          Effect.sync(() => this.note(`bind ${name}`)),
          () => Effect.sync(() => this.note(`release ${name}`))
        )
      ),
      start: () =>
        Effect.gen({ self: this }, function* () {
          const { ending } = yield* ServiceInstance
          yield* Effect.acquireRelease(
            Effect.sync(() => this.note(`start ${name}`)),
            (_, exit) => Effect.map(ending, (ending) => notes("stop", exit, ending))
          )
          yield* options.start ?? Effect.void
          this.ends.set(name, Deferred.makeUnsafe())
        }),
      run: () => Effect.suspend(() => Deferred.await(this.ends.get(name)!)),
      ready: ready === undefined ? undefined : () => ready
    })
  }

  /** Has its `run` end. */
  readonly end = (name: string): Effect.Effect<void> =>
    Effect.asVoid(Effect.suspend(() => Deferred.succeed(this.ends.get(name)!, undefined)))

  /** Has its `run` fail. */
  readonly fail = (name: string, error: unknown = new Error(`${name} broke`)): Effect.Effect<void> =>
    Effect.asVoid(Effect.suspend(() => Deferred.fail(this.ends.get(name)!, error)))
}

export const statesOf = (tree: ServiceTree.ServiceTree): Effect.Effect<string> =>
  Effect.map(tree.snapshot, ({ children }) =>
    children.map(({ name, state }) => `${name} ${state._tag}`).join(", ")
  )

/** All that is below it, and how it is doing. */
export const stateOf = (node: ServiceNode): string => node.state.value._tag

/** The message of the error. */
export const refusal = <A, R>(effect: Effect.Effect<A, ServiceError, R>): Effect.Effect<string, unknown, R> =>
  Effect.map(Effect.flip(effect), ({ message }) => message)

/** Collects what is reported as unhandled. */
export const reporting = <A, E, R>(
  body: (reports: Array<string>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const reports: Array<string> = []
    return Effect.provideService(body(reports), UnhandledFailure.Reporter, ({ cause, place }) =>
      Effect.sync(() => void reports.push(`${place}: ${Failure.message(Failure.fromCause(cause))}`))
    )
  })

/** Lets everything go on that can without time. */
export const settle: Effect.Effect<void> = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, {
  discard: true
})
