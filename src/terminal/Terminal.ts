/**
 * Somebody at a terminal: lines are read with an editor, and things are said above what is being written. What the terminal stands on
 * (telnet, a standard input, SSH) is a `Screen`. Twisted: `conch.insults` and `conch.recvline` together, as far as lines go.
 */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import { visible } from "../result/VisibleText.ts"
import * as Editor from "./LineEditorSession.ts"
import * as History from "./LineHistorySession.ts"
import { type Key, TerminalKeysDecoder } from "./TerminalKeysWire.ts"

export type Input =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  /** A key that came by another way than as bytes. */
  | { readonly _tag: "Key"; readonly key: Key }
  /** The size, or whether it is interactive, has changed. */
  | { readonly _tag: "Changed" }

/** What a terminal stands on. */
export interface Screen<out E> {
  /** The end of input is `Cause.Done`. */
  readonly receive: Pull.Pull<Input, E>
  /** Text as a terminal takes it: a new line is `\r\n`. */
  readonly send: (text: string) => Effect.Effect<void, E>
  readonly columns: () => number
  /** Whether every key comes at once, and is shown by us. Else whole lines come, which the other side has edited and shown. */
  readonly isInteractive: () => boolean
}

/** What can follow. */
export interface Completion {
  readonly candidates: ReadonlyArray<string>
  /** Characters before the cursor that a candidate replaces: those of the word that was begun. */
  readonly replaced: number
}

export interface ReadOptions {
  readonly prompt?: string | undefined
  /** Nothing is shown and remembered: a password. What is not interactive shows it: see `Screen`. Default `false`. */
  readonly isHidden?: boolean | undefined
  /** What can follow the text before the cursor. Default nothing. */
  readonly complete?: ((before: string) => Effect.Effect<Completion>) | undefined
}

export type Read =
  | { readonly _tag: "Line"; readonly line: string }
  /** `^C`. */
  | { readonly _tag: "Interrupt" }
  /** `^D` on an empty line, or the end of input. */
  | { readonly _tag: "End" }

export interface Terminal<out E = never> {
  /** One at a time. Keys that come while nobody reads wait. */
  readonly readLine: (options?: ReadOptions) => Effect.Effect<Read, E>
  /**
   * Says something, above a line that is being written. What cannot be seen is written out, so that nobody's text controls the terminal; new
   * lines and tabs pass. A new line is added.
   */
  readonly print: (text: string) => Effect.Effect<void, E>
  /** Lines that were entered, the oldest first. */
  readonly history: () => ReadonlyArray<string>
}

export interface Options {
  /** Lines from before. Default none. */
  readonly history?: ReadonlyArray<string> | undefined
  /** Lines that are remembered. Default 500. */
  readonly historyMax?: number | undefined
}

const clean = (text: string): string =>
  text
    .split(/\r\n|\n|\r/)
    .map((line) => line.split("\t").map(visible).join("\t"))
    .join("\n")

export const make = <E>(screen: Screen<E>, options: Options = {}): Terminal<E> => {
  const decoder = new TerminalKeysDecoder()
  const keys: Array<Key> = []
  let history = History.make(options.history, options.historyMax)
  let kills: ReadonlyArray<string> = []
  /** Of the line that is being read. */
  let state: Editor.State | undefined

  /** What the editor says goes out only to who wants it. */
  const show = (actions: ReadonlyArray<Editor.Action>): Effect.Effect<void, E> => {
    let text = ""
    for (const action of actions) if (action._tag === "Write") text += action.text
    return text === "" ? Effect.void : screen.send(text)
  }

  const take = (input: Input): Effect.Effect<void, E> => {
    if (input._tag === "Key") keys.push(input.key)
    else if (input._tag === "Bytes") keys.push(...decoder.push(input.bytes))
    else if (state !== undefined && state.columns !== screen.columns()) {
      const [next, actions] = Editor.resize(state, screen.columns())
      state = next
      if (screen.isInteractive()) return show(actions)
    }
    return Effect.void
  }

  const ended = Effect.succeed(undefined)
  const more = Effect.flatMap(
    Pull.catchDone(screen.receive, () => ended),
    (input) => (input === undefined ? Effect.succeed(false) : Effect.as(take(input), true))
  )

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
        const { candidates, replaced } = yield* complete(action.before)
        const [next, drawn] = Editor.complete(state, candidates.map(visible), replaced, action.isAgain)
        state = next
        if (screen.isInteractive()) yield* show(drawn)
      }
    }
    return read
  })

  const readLine = (asked: ReadOptions = {}): Effect.Effect<Read, E> =>
    Effect.gen(function* () {
      const { complete, isHidden, prompt = "" } = asked
      const begun = Editor.begin({
        prompt: visible(prompt),
        isHidden,
        history,
        kills,
        columns: screen.columns()
      })
      let line: Editor.State = begun[0]
      state = line
      yield* show(begun[1])
      for (;;) {
        const key = keys.shift()
        if (key === undefined) {
          if (!(yield* more)) return { _tag: "End" } as const
          continue
        }
        const [next, actions] = Editor.step(state ?? line, key)
        line = next
        state = next
        history = next.history
        kills = next.kills
        if (screen.isInteractive()) yield* show(actions)
        const read = yield* answer(actions, complete)
        if (read !== undefined) return read
      }
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          state = undefined
        })
      )
    )

  const print = (text: string): Effect.Effect<void, E> =>
    Effect.suspend(() => {
      const said = `${clean(text)}\n`
      return state !== undefined && screen.isInteractive()
        ? show(Editor.say(state, said))
        : screen.send(said.replaceAll("\n", "\r\n"))
    })

  return { readLine, print, history: () => history.lines }
}
