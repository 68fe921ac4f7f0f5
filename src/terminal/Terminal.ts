/**
 * Somebody at a terminal: lines are read with an editor, things are said above what is being written, and what runs can be interrupted. What
 * the terminal stands on (telnet, a standard input, SSH) is a `Screen`. Twisted: `conch.insults` and `conch.recvline` together, as far as
 * lines go.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { visible } from "../result/VisibleText.ts"
import * as Editor from "./LineEditorSession.ts"
import * as History from "./LineHistorySession.ts"
import type { Size } from "./LineViewWire.ts"
import * as TerminalInput from "./TerminalInput.ts"
import { pasteOff, pasteOn } from "./TerminalKeysWire.ts"
import type { Screen } from "./TerminalScreen.ts"
import * as TerminalText from "./TerminalTextWire.ts"

export type { Input, Screen } from "./TerminalScreen.ts"

/** What can follow. */
export interface Completion {
  readonly candidates: ReadonlyArray<string>
  /** Characters before the cursor that a candidate replaces: those of the word that was begun. */
  readonly replaced: number
}

export interface ReadOptions {
  /** On one line; what cannot be seen in it is written out. */
  readonly prompt?: TerminalText.Content | undefined
  /** Nothing is shown and remembered: a password. Default `false`. */
  readonly isHidden?: boolean | undefined
  /** Whether the line may have `\n` in it, pasted or written by Alt-Enter. Default `false`: pasted ones become blanks. */
  readonly isMultiline?: boolean | undefined
  /** What can follow the text before the cursor. `^C` interrupts it. Default nothing. */
  readonly complete?: ((before: string) => Effect.Effect<Completion>) | undefined
}

export type Read =
  | { readonly _tag: "Line"; readonly line: string }
  /** `^C`; or, of who sends whole lines, one that is too long. */
  | { readonly _tag: "Interrupt"; readonly isTooLong?: true }
  /** `^D` on an empty line, or the end of input. */
  | { readonly _tag: "End" }

export interface RunOptions {
  /** Done for each `^C`, in place of interrupting what runs. */
  readonly onInterrupt?: Effect.Effect<void> | undefined
}

export interface Terminal<out E = never> {
  /** One at a time. Keys that come while nobody reads wait. */
  readonly readLine: (options?: ReadOptions) => Effect.Effect<Read, E>
  /**
   * Says something, above a line that is being written. What cannot be seen is written out, so that nobody's text controls the terminal; new
   * lines and tabs pass, and colours that are said beside the text. A new line is added.
   */
  readonly print: (content: TerminalText.Content) => Effect.Effect<void, E>
  /**
   * Runs what may take long: `^C` interrupts it, and nothing comes of it then; so does the loss of the connection, as a failure. It may
   * read lines itself: while it does, `^C` is the line's. In another `run`, the inner one is interrupted. What was typed ahead is
   * forgotten at `^C`, as terminals do.
   */
  readonly run: <A, E2, R>(
    command: Effect.Effect<A, E2, R>,
    options?: RunOptions
  ) => Effect.Effect<Option.Option<A>, E | E2, R>
  /** Hears what comes as long as the effect runs, also while nobody reads: sizes, and that the connection is lost. Keys wait. */
  readonly attend: <A, E2, R>(session: Effect.Effect<A, E2, R>) => Effect.Effect<A, E | E2, R>
  /** Of the screen. */
  readonly size: () => Size
  /** The size as it is, and each time that it changes; who is slow gets the last one. It changes while somebody receives: see `attend`. */
  readonly sizes: Stream.Stream<Size>
  /** Lines that were entered, the oldest first. */
  readonly history: () => ReadonlyArray<string>
}

export interface Options {
  /** Lines from before. Default none. */
  readonly history?: ReadonlyArray<string> | undefined
  /** Lines that are remembered. Default 500. */
  readonly historyMax?: number | undefined
}

const lineOf = (text: string): string => text.split("\n").map(visible).join("\n")

export const make = <E>(screen: Screen<E>, options: Options = {}): Terminal<E> => {
  let history = History.make((options.history ?? []).map(lineOf), options.historyMax)
  let kills: ReadonlyArray<string> = []
  /** Of the line that is being read. */
  let state: Editor.State | undefined
  let prompt: TerminalText.Content = ""
  /** Somebody else looks for what can follow. */
  let isCompleting = false
  /** Whether the terminal was asked to say where pastes begin and end. */
  let pastes = false

  /** Whether the terminal is known to know more than the least. */
  const isFancy = () => screen.isInteractive() && isGood(screen.kind?.())

  /** What the editor says goes out only to who wants it. */
  const show = (actions: ReadonlyArray<Editor.Action>): Effect.Effect<void, E> => {
    let text = ""
    for (const action of actions) if (action._tag === "Write") text += action.text
    return text === "" ? Effect.void : screen.send(text)
  }

  const input = TerminalInput.make(screen, {
    isReading: () => state !== undefined && !isCompleting,
    changed: Effect.suspend(() => {
      if (state === undefined) return Effect.void
      const size = screen.size()
      const isSame = state.columns === size.columns && state.rows === size.rows
      const [resized, redrawn] = isSame ? [state, []] : Editor.resize(state, size)
      const [next, retitled] = Editor.retitle(resized, TerminalText.formatLine(prompt, isFancy()))
      state = next
      return screen.isInteractive() ? show([...redrawn, ...pasting(), ...retitled]) : Effect.void
    })
  })

  /** What makes pastes known, once that is possible. */
  const pasting = (): ReadonlyArray<Editor.Action> => {
    if (pastes || !isFancy()) return []
    pastes = true
    return [{ _tag: "Write", text: pasteOn }]
  }

  /** What is left to do once the editor has said its part. */
  const answer = Effect.fnUntraced(function* (
    actions: ReadonlyArray<Editor.Action>,
    complete: ReadOptions["complete"]
  ): Effect.fn.Return<Read | undefined, E> {
    let read: Read | undefined
    for (const action of actions) {
      if (action._tag === "Line") read = { _tag: "Line", line: action.line }
      else if (action._tag === "Interrupt" || action._tag === "End") read = { _tag: action._tag }
      else if (action._tag === "Complete" && state !== undefined && complete !== undefined) {
        isCompleting = true
        const found = yield* input.runQuietly(complete(action.before)).pipe(
          Effect.ensuring(
            Effect.sync(() => {
              isCompleting = false
            })
          )
        )
        // ^C was meant for it.
        if (Option.isNone(found)) continue
        const { candidates, replaced } = found.value
        const [next, drawn] = Editor.complete(state, candidates.map(visible), replaced, action.isAgain)
        state = next
        if (screen.isInteractive()) yield* show(drawn)
      }
    }
    return read
  })

  const readLine = (asked: ReadOptions = {}): Effect.Effect<Read, E> =>
    Effect.gen(function* () {
      const { complete, isHidden = false, isMultiline } = asked
      prompt = asked.prompt ?? ""
      const shown = TerminalText.formatLine(prompt, isFancy())
      const size = screen.size()
      const begun = Editor.begin({ prompt: shown, isHidden, isMultiline, history, kills, ...size })
      let line: Editor.State = begun[0]
      state = line
      input.resume()
      if (isHidden && screen.hide !== undefined) yield* screen.hide(true)
      yield* show([...pasting(), ...begun[1]])
      for (;;) {
        const key = yield* input.next
        if (key === undefined) return { _tag: "End" } as const
        const { isCut } = line
        const [next, actions] = Editor.step(state ?? line, key)
        line = next
        state = next
        history = next.history
        kills = next.kills
        if (screen.isInteractive()) yield* show(actions)
        const read = yield* answer(actions, complete)
        if (read === undefined) continue
        // Who does not see his line does not see either that it is not the one that he sent.
        if (read._tag === "Line" && isCut && !screen.isInteractive()) {
          yield* screen.send(`a line of more than ${Editor.lineUnitsMax} characters: given up\r\n`)
          return { _tag: "Interrupt", isTooLong: true } as const
        }
        return read
      }
    }).pipe(
      Effect.tap(() => restore(asked)),
      // Nobody waits then for a peer that takes nothing any more.
      Effect.onInterrupt(() => Effect.forkDetach(Effect.ignore(restore(asked)), { startImmediately: true })),
      Effect.ensuring(
        Effect.sync(() => {
          state = undefined
        })
      )
    )

  /** The terminal as it was before it was asked. */
  const restore = ({ isHidden = false }: ReadOptions): Effect.Effect<void, E> => {
    const unmark = pastes ? screen.send(pasteOff) : Effect.void
    pastes = false
    return isHidden && screen.hide !== undefined ? Effect.andThen(unmark, screen.hide(false)) : unmark
  }

  const print = (content: TerminalText.Content): Effect.Effect<void, E> =>
    Effect.suspend(() => {
      if (state !== undefined && screen.isInteractive())
        return show(Editor.say(state, `${TerminalText.format(content, isFancy())}\n`))
      return input.isDiscarding()
        ? Effect.void
        : screen.send(`${TerminalText.format(content, isFancy(), "\r\n")}\r\n`)
    })

  return {
    readLine,
    print,
    run: input.run,
    attend: input.attend,
    size: () => screen.size(),
    sizes: sizesOf(screen, input.changing),
    history: () => history.lines
  }
}

const isGood = (kind: string | undefined): boolean => kind !== undefined && !/^(?:dumb|unknown)$/i.test(kind)

const sizesOf = <E>(screen: Screen<E>, changing: () => Effect.Effect<void>): Stream.Stream<Size> =>
  Stream.unfold(undefined, (last: Size | undefined) => {
    const next: Effect.Effect<readonly [Size, Size]> = Effect.suspend(() => {
      const { columns, rows } = screen.size()
      return last !== undefined && last.columns === columns && last.rows === rows
        ? Effect.andThen(changing(), next)
        : Effect.succeed([
            { columns, rows },
            { columns, rows }
          ] as const)
    })
    return next
  })
