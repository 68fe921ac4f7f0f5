/**
 * Who hears a terminal: the one who reads a line, or, while nobody does, whoever attends to what runs. There is one at a time; keys that are
 * nobody's yet wait, so many.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import type { RunOptions } from "./Terminal.ts"
import { type Key, TerminalKeysDecoder } from "./TerminalKeysWire.ts"
import type { Input, Screen } from "./TerminalScreen.ts"

/** Characters and keys that wait while nobody reads. More ring a bell; of who sends whole lines, no more is received. */
export const aheadMax = 4_096

export interface Reader<E> {
  readonly isReading: () => boolean
  /** The screen may be another one: its size, its kind. */
  readonly changed: Effect.Effect<void, E>
}

export interface TerminalInput<out E> {
  /** The next key; `undefined` when there are no more. */
  readonly next: Effect.Effect<Key | undefined, E>
  /** Somebody reads: what is said is to be seen again. */
  readonly resume: () => void
  readonly isDiscarding: () => boolean
  /** Waits for something to come, from this call on. */
  readonly changing: () => Effect.Effect<void>
  readonly attend: <A, E2, R>(session: Effect.Effect<A, E2, R>) => Effect.Effect<A, E | E2, R>
  readonly run: <A, E2, R>(
    command: Effect.Effect<A, E2, R>,
    options?: RunOptions
  ) => Effect.Effect<Option.Option<A>, E | E2, R>
  /** As `run`, and nothing is shown of it. */
  readonly runQuietly: <A, E2, R>(
    command: Effect.Effect<A, E2, R>
  ) => Effect.Effect<Option.Option<A>, E | E2, R>
}

/** Who is interrupted, or told. */
interface Handler {
  readonly act: Effect.Effect<void>
  readonly isQuiet: boolean
}

const isInterrupt = (key: Key): boolean => key._tag === "Press" && key.ctrl && key.key === "c"

const unitsOf = (key: Key): number => (key._tag === "Press" ? 1 : key.text.length)

export const make = <E>(screen: Screen<E>, reader: Reader<E>): TerminalInput<E> => {
  const decoder = new TerminalKeysDecoder()
  const handlers: Array<Handler> = []
  let keys: Array<Key> = []
  let units = 0
  let isOver = false
  let isAttended = false
  let isReceiving = false
  let discards = false
  let change: Deferred.Deferred<void> | undefined

  /** From this call on, so that nothing is missed between looking and waiting. */
  const changing = () => Deferred.await((change ??= Deferred.makeUnsafe<void>()))

  const tell = (): void => {
    const waiting = change
    change = undefined
    if (waiting !== undefined) Deferred.doneUnsafe(waiting, Effect.void)
  }

  const forget = (): void => {
    keys = []
    units = 0
  }

  /** What runs hears it, so many times. */
  const interrupt = ({ act, isQuiet }: Handler, times: number): Effect.Effect<void, E> =>
    Effect.andThen(
      screen.isInteractive() && !isQuiet ? screen.send("^C\r\n") : Effect.void,
      Effect.forEach(Array.from({ length: times }), () => act, { discard: true })
    )

  /** All of them are taken before anything is done: that may be the end of who does it. */
  const take = (all: ReadonlyArray<Key>, max = aheadMax): Effect.Effect<void, E> =>
    Effect.suspend(() => {
      const handler = reader.isReading() ? undefined : handlers.at(-1)
      const hasEnd = screen.isInteractive() && !reader.isReading()
      let interrupts = 0
      let isLost = false
      for (const key of all) {
        if (handler !== undefined && isInterrupt(key)) {
          forget()
          interrupts++
        } else if (hasEnd && units >= max) isLost = true
        else {
          keys.push(key)
          units += unitsOf(key)
        }
      }
      tell()
      const bell = isLost ? screen.send("\x07") : Effect.void
      return handler === undefined || interrupts === 0
        ? bell
        : Effect.andThen(bell, interrupt(handler, interrupts))
    })

  const heard = (input: Input): Effect.Effect<void, E> => {
    switch (input._tag) {
      case "Bytes":
        return take(decoder.push(input.bytes))
      case "Key":
        return take([input.key])
      case "Changed":
        return Effect.andThen(reader.changed, Effect.sync(tell))
      case "Discard":
        discards = !reader.isReading()
        return Effect.void
    }
  }

  /** Receives once; two never do at a time. */
  const receive = Effect.suspend(() => {
    isReceiving = true
    return Pull.matchEffect(screen.receive, {
      onSuccess: heard,
      onFailure: Effect.failCause,
      onDone: () =>
        Effect.sync(() => {
          isOver = true
          tell()
        })
    })
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        isReceiving = false
        tell()
      })
    )
  )

  const next: Effect.Effect<Key | undefined, E> = Effect.suspend(() => {
    const key = keys.shift()
    if (key !== undefined) {
      units -= unitsOf(key)
      if (change !== undefined) tell()
      return Effect.succeed(key)
    }
    if (isOver) return Effect.succeed(undefined)
    return Effect.andThen(isAttended || isReceiving ? changing() : receive, next)
  })

  const hasRoom = () => units < aheadMax || (screen.isInteractive() && !reader.isReading())

  const attending: Effect.Effect<never, E> = Effect.suspend(() =>
    isOver ? Effect.never : Effect.andThen(isReceiving || !hasRoom() ? changing() : receive, attending)
  )

  const attend: TerminalInput<E>["attend"] = (session) =>
    Effect.suspend(() => {
      if (isAttended) return session
      isAttended = true
      return Effect.raceFirst(session, attending).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            isAttended = false
            tell()
          })
        )
      )
    })

  const running = <A, E2, R>(
    command: Effect.Effect<A, E2, R>,
    onInterrupt: Effect.Effect<void> | undefined,
    isQuiet: boolean
  ): Effect.Effect<Option.Option<A>, E | E2, R> =>
    Effect.suspend(() => {
      const stopped = Deferred.makeUnsafe<void>()
      const act = onInterrupt ?? Effect.asVoid(Deferred.succeed(stopped, undefined))
      const handler = { act, isQuiet }
      handlers.push(handler)
      // It may have been typed already, behind the line that is the command.
      const ahead = keys
      forget()
      const early = take(ahead, Number.POSITIVE_INFINITY)
      const either = Effect.raceFirst(
        Effect.as(Deferred.await(stopped), Option.none()),
        Effect.asSome(command)
      )
      return Effect.andThen(early, attend(either)).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            handlers.splice(handlers.lastIndexOf(handler), 1)
            discards = false
          })
        )
      )
    })

  return {
    next,
    resume: () => {
      discards = false
    },
    isDiscarding: () => discards,
    changing,
    attend,
    run: (command, options = {}) => running(command, options.onInterrupt, false),
    runQuietly: (command) => running(command, undefined, true)
  }
}
