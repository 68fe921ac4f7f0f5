/**
 * A line that somebody writes: keys in, a new state and what to do out. Twisted: `conch.recvline`. Pure.
 *
 * As in readline's Emacs mode: the cursor keys, `^A ^E ^B ^F` and words by Alt; `^K ^U ^W` and Alt-d kill, `^Y` yanks, Alt-y takes
 * an older one; `^_` undoes; `^P ^N` and up and down go through the history; `^R` looks for a line in it; Tab completes; `^T` swaps; `^L`
 * clears the screen; `^C` gives up, `^D` on an empty line ends. What is pasted is text, whatever it is.
 */
import * as Candidates from "./LineCandidatesWire.ts"
import * as History from "./LineHistorySession.ts"
import * as Undos from "./LineUndosSession.ts"
import * as LineView from "./LineViewWire.ts"
import * as Words from "./LineWordsWire.ts"
import type { Key } from "./TerminalKeysWire.ts"
import { characters } from "./TerminalWidthWire.ts"

export interface State {
  readonly prompt: string
  /** Characters before the cursor, and behind it. */
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
  readonly history: History.LineHistory
  /** What was killed, the newest first. */
  readonly kills: ReadonlyArray<string>
  /** What the line was before. */
  readonly undos: Undos.Undos
  /** What the key before did, for what goes on with it: killing adds to it, Tab twice shows all, typing is undone by words. */
  readonly last: "type" | "paste" | "kill" | "yank" | "complete" | "other"
  /** Characters that the last yank wrote. */
  readonly yanked: number
  /** `^R`: what is looked for, and where it was found. */
  readonly search: { readonly text: string; readonly at: number | undefined } | undefined
  /** Nothing is shown, and nothing remembered: a password. */
  readonly isHidden: boolean
  /** Whether there can be `\n` in it: pasted, or by Alt-Enter. */
  readonly isMultiline: boolean
  /** Whether what is typed takes the place of what stands there (Insert). */
  readonly isOver: boolean
  /** Whether something had no room: the line is not what was said. */
  readonly isCut: boolean
  readonly columns: number
  readonly rows: number
}

/** More makes a bell ring. In UTF-16 units. */
export const lineUnitsMax = 4_096
const killsMax = 16

export type Action =
  | { readonly _tag: "Write"; readonly text: string }
  /** It is entered. */
  | { readonly _tag: "Line"; readonly line: string }
  /** `^C`: what was written is given up. */
  | { readonly _tag: "Interrupt" }
  /** `^D` on an empty line. */
  | { readonly _tag: "End" }
  /** Tab: what can follow `before`? The answer is `complete`. */
  | { readonly _tag: "Complete"; readonly before: string; readonly isAgain: boolean }

type Step = readonly [State, ReadonlyArray<Action>]

export interface Options {
  /** Text without control characters, but for colours (`TerminalTextWire`). Default none. */
  readonly prompt?: string | undefined
  readonly history?: History.LineHistory | undefined
  readonly kills?: ReadonlyArray<string> | undefined
  readonly isHidden?: boolean | undefined
  /** Default `false`: new lines that are pasted become blanks. */
  readonly isMultiline?: boolean | undefined
  /** Of the screen. Default 80. */
  readonly columns?: number | undefined
  /** Default: as many as there need to be. */
  readonly rows?: number | undefined
}

/** An empty line, drawn. */
export const begin = (options: Options = {}): Step => {
  const { columns = 80, history = History.make(), isHidden = false, kills = [], prompt = "" } = options
  const { isMultiline = false, rows = Number.POSITIVE_INFINITY } = options
  const state: State = {
    prompt,
    before: [],
    after: [],
    history,
    kills,
    undos: [],
    last: "other",
    yanked: 0,
    search: undefined,
    isHidden,
    isMultiline,
    isOver: false,
    isCut: false,
    columns,
    rows
  }
  return [state, write(LineView.draw(viewOf(state), state))]
}

export const lineOf = ({ after, before }: State): string => before.join("") + after.join("")

/** Something else is said above the line. It ends with a new line, and has no control characters but tabs, new lines, and colours. */
export const say = (state: State, text: string): ReadonlyArray<Action> => {
  const view = viewOf(state)
  return write(`${LineView.erase(view, state)}${text.replaceAll("\n", "\r\n")}${LineView.draw(view, state)}`)
}

/** The screen has another size: the line is drawn anew. */
export const resize = (state: State, size: LineView.Size): Step => {
  const next = { ...state, columns: size.columns, rows: size.rows }
  return [next, write(LineView.resize(viewOf(next), state, next))]
}

/** Another prompt before the same line. */
export const retitle = (state: State, prompt: string): Step => {
  const next = { ...state, prompt }
  return prompt === state.prompt
    ? [state, []]
    : [next, write(LineView.update(viewOf(state), viewOf(next), state))]
}

export const step = (state: State, key: Key): Step => {
  if (state.search !== undefined) return searching(state, state.search, key)
  if (key._tag === "Text") return typed(state, key.text)
  if (key._tag === "Paste") return pasted(state, key.text)
  const command = commands.get(nameOf(key))
  return command === undefined ? [{ ...state, last: "other" }, []] : command(state)
}

/** The candidates for what stands before the cursor: words that replace its last `replaced` characters. */
export const complete = (
  state: State,
  candidates: ReadonlyArray<string>,
  replaced: number,
  isAgain: boolean
): Step => {
  if (candidates.length === 0) return [state, bell]
  const common = candidates.length === 1 ? `${candidates[0]!} ` : Candidates.commonStart(candidates)
  const kept = Math.max(0, state.before.length - replaced)
  if (characters(common).length > state.before.length - kept) {
    const base = { ...state, before: state.before.slice(0, kept) }
    const [next, actions] = edited(state, insert(base, common))
    return [{ ...next, last: "complete" }, actions]
  }
  return isAgain ? [state, say(state, Candidates.inColumns(candidates, state.columns))] : [state, bell]
}

// --- what keys do ---------------------------------------------------------------------------------------

type Command = (state: State) => Step

const nameOf = (key: Extract<Key, { readonly _tag: "Press" }>): string =>
  `${key.ctrl ? "ctrl-" : ""}${key.alt ? "alt-" : ""}${key.key}`

const moved =
  (to: (state: State) => number): Command =>
  (state) => {
    const all = [...state.before, ...state.after]
    const at = Math.min(Math.max(to(state), 0), all.length)
    return edited(state, { ...state, before: all.slice(0, at), after: all.slice(at) })
  }

/** Removes what is between the cursor and there, and keeps it for yanking. */
const killed =
  (to: (state: State) => number): Command =>
  (state) => {
    const all = [...state.before, ...state.after]
    const [from, end] = [state.before.length, to(state)].sort((a, b) => a - b) as [number, number]
    if (from === end) return [{ ...state, last: "other" }, []]
    const text = all.slice(from, end).join("")
    const [newest = "", ...older] = state.last === "kill" ? state.kills : ["", ...state.kills]
    const joined = end === state.before.length ? text + newest : newest + text
    const kills = state.isHidden ? state.kills : [joined.slice(0, lineUnitsMax), ...older].slice(0, killsMax)
    const [next, actions] = edited(state, {
      ...state,
      before: all.slice(0, from),
      after: all.slice(end),
      kills
    })
    return [{ ...next, last: "kill" }, actions]
  }

const deletedBefore: Command = (state) => edited(state, { ...state, before: state.before.slice(0, -1) })
const deletedAfter: Command = (state) => edited(state, { ...state, after: state.after.slice(1) })

const entered: Command = (state) => {
  const line = lineOf(state)
  const left = LineView.leave(viewOf(state), state)
  const history = state.isHidden ? state.history : History.add(state.history, line)
  const next = { ...state, before: [], after: [], undos: [], history, isCut: false, last: "other" as const }
  return [next, [...write(left), { _tag: "Line", line }]]
}

const interrupted: Command = (state) => {
  const [view, end] = [viewOf(state), viewOf(atEnd(state, "^C"))]
  const shown = LineView.update(view, end, state) + LineView.leave(end, state)
  const history = History.make(state.history.lines, state.history.linesMax)
  return [
    { ...state, before: [], after: [], undos: [], history, isCut: false, last: "other" },
    [...write(shown), { _tag: "Interrupt" }]
  ]
}

const atEnd = (state: State, text: string): State => ({
  ...state,
  before: [...state.before, ...state.after, ...characters(text)],
  after: []
})

const browsed =
  (by: number): Command =>
  (state) => {
    const found = state.isHidden ? undefined : History.move(state.history, by, lineOf(state))
    if (found === undefined) return [{ ...state, last: "other" }, bell]
    const [history, line] = found
    return edited(state, { ...state, history, before: charactersIn(state, line), after: [] })
  }

const yanked: Command = (state) => {
  const [text] = state.kills
  if (text === undefined) return [state, bell]
  const [next, actions] = edited(state, insert(state, text))
  return [{ ...next, last: "yank", yanked: characters(text).length }, actions]
}

/** Instead of what was yanked, what was killed before it. */
const yankedOlder: Command = (state) => {
  const [newest, ...older] = state.kills
  if (state.last !== "yank" || newest === undefined || older.length === 0) return [state, bell]
  const kills = [...older, newest]
  const base = { ...state, kills, before: state.before.slice(0, state.before.length - state.yanked) }
  const [next, actions] = edited(state, insert(base, kills[0]!))
  return [{ ...next, last: "yank", yanked: characters(kills[0]!).length }, actions]
}

const swapped: Command = (state) => {
  const all = [...state.before, ...state.after]
  const at = Math.min(state.before.length, all.length - 1)
  if (at < 1) return [{ ...state, last: "other" }, bell]
  ;[all[at - 1], all[at]] = [all[at]!, all[at - 1]!]
  return edited(state, { ...state, before: all.slice(0, at + 1), after: all.slice(at + 1) })
}

const cleared: Command = (state) => [
  { ...state, last: "other" },
  write(`\x1b[H\x1b[2J${LineView.draw(viewOf(state), state)}`)
]

const completed: Command = (state) =>
  state.isHidden
    ? [state, bell]
    : [
        { ...state, last: "complete" },
        [{ _tag: "Complete", before: state.before.join(""), isAgain: state.last === "complete" }]
      ]

/** What the line was before the last change. */
const undone: Command = (state) => {
  const [was, ...undos] = state.undos
  if (was === undefined) return [state, bell]
  const all = characters(was.line)
  const [before, after] = [all.slice(0, was.at), all.slice(was.at)]
  const [next, actions] = edited(state, { ...state, search: undefined, before, after })
  return [{ ...next, undos }, actions]
}

/** A new line in the line, where it can have one. */
const broken: Command = (state) => (state.isMultiline ? edited(state, insert(state, "\n")) : entered(state))

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["enter", entered],
  ["alt-enter", broken],
  ["ctrl-c", interrupted],
  [
    "ctrl-d",
    (state) =>
      Words.length(state) === 0 ? [state, [...write("\r\n"), { _tag: "End" }]] : deletedAfter(state)
  ],
  ["backspace", deletedBefore],
  ["delete", deletedAfter],
  ...keys(
    moved(({ before }) => before.length - 1),
    "left",
    "ctrl-b"
  ),
  ...keys(
    moved(({ before }) => before.length + 1),
    "right",
    "ctrl-f"
  ),
  ...keys(
    moved(() => 0),
    "home",
    "ctrl-a"
  ),
  ...keys(moved(Words.length), "end", "ctrl-e"),
  ...keys(moved(Words.wordBefore), "alt-b", "ctrl-left", "alt-left"),
  ...keys(moved(Words.wordAfter), "alt-f", "ctrl-right", "alt-right"),
  ["ctrl-k", killed(Words.length)],
  ["ctrl-u", killed(() => 0)],
  ["ctrl-w", killed(Words.blankBefore)],
  ["alt-backspace", killed(Words.wordBefore)],
  ["alt-d", killed(Words.wordAfter)],
  ["ctrl-y", yanked],
  ["alt-y", yankedOlder],
  ...keys(browsed(-1), "up", "ctrl-p"),
  ...keys(browsed(1), "down", "ctrl-n"),
  ...keys(browsed(Number.NEGATIVE_INFINITY), "alt-<", "pageUp"),
  ...keys(browsed(Number.POSITIVE_INFINITY), "alt->", "pageDown"),
  ["ctrl-_", undone],
  ["insert", (state) => [{ ...state, isOver: !state.isOver, last: "other" }, []]],
  ["ctrl-t", swapped],
  ["ctrl-l", cleared],
  ["tab", completed],
  [
    "ctrl-r",
    (state) =>
      state.isHidden
        ? [state, bell]
        : edited(
            { ...state, undos: Undos.add(state.undos, wasOf(state)) },
            { ...state, search: { text: "", at: undefined } }
          )
  ]
])

function keys(command: Command, ...names: ReadonlyArray<string>): ReadonlyArray<readonly [string, Command]> {
  return names.map((name) => [name, command] as const)
}

// --- looking for a line ---------------------------------------------------------------------------------

/** While `^R` asks what to look for: text changes it, `^R` goes on, Enter takes what is found, `^G` and `^C` what was there, other keys go on with it. */
const searching = (state: State, search: NonNullable<State["search"]>, key: Key): Step => {
  const { history } = state
  const found = (text: string, before?: number): Step => {
    const at = text === "" ? undefined : History.search(history, text, before)
    if (at === undefined && text !== "") return [state, bell]
    const line = at === undefined ? "" : history.lines[at]!
    return edited(state, { ...state, search: { text, at }, before: charactersIn(state, line), after: [] })
  }
  if (key._tag !== "Press") {
    const text = key.text.replace(/[\n\t]/g, " ")
    return found(
      (search.text + text).slice(0, lineUnitsMax),
      search.at === undefined ? undefined : search.at + 1
    )
  }
  switch (nameOf(key)) {
    case "backspace":
      return found(characters(search.text).slice(0, -1).join(""))
    case "ctrl-r":
      return found(search.text, search.at)
    case "ctrl-g":
    case "ctrl-c":
      return undone(state)
    default: {
      const [taken, drawn] = edited(state, { ...state, search: undefined })
      const [next, actions] = step(taken, key)
      return [next, [...drawn, ...actions]]
    }
  }
}

// --- the parts ------------------------------------------------------------------------------------------

const write = (text: string): ReadonlyArray<Action> => (text === "" ? [] : [{ _tag: "Write", text }])
const bell: ReadonlyArray<Action> = [{ _tag: "Write", text: "\x07" }]

const viewOf = ({ after, before, isHidden, prompt, search }: State): LineView.View => {
  if (isHidden) return { prompt, before: [], after: [] }
  return { prompt: search === undefined ? prompt : `(search: ${search.text}) `, before, after }
}

/** Lines from elsewhere (pasted, killed, remembered) can have new lines where this one cannot. */
const charactersIn = ({ isMultiline }: State, text: string): ReadonlyArray<string> =>
  characters(isMultiline ? text : text.replaceAll("\n", " "))

/** Words that are typed are undone one by one, not by letters. */
const typed = (state: State, text: string): Step => {
  const goesOn = state.last === "type" && (text.startsWith(" ") || state.before.at(-1) !== " ")
  const after = state.isOver ? state.after.slice(characters(text).length) : state.after
  const [next, actions] = inserted(state, insert({ ...state, after }, text))
  return [{ ...next, last: "type", undos: goesOn ? state.undos : next.undos }, actions]
}

const inserted = (from: State, to: State | undefined): Step =>
  to === undefined ? [{ ...from, isCut: true }, bell] : edited(from, to)

/** Pieces that come one after another are one paste. */
const pasted = (state: State, text: string): Step => {
  const [next, actions] = inserted(state, insert(state, text.replaceAll("\t", " ")))
  return [{ ...next, last: "paste", undos: state.last === "paste" ? state.undos : next.undos }, actions]
}

/** With the text at the cursor; `undefined` when that is too much. A mark joins the character that it comes behind. */
const insert = (state: State, text: string): State | undefined => {
  if (lineOf(state).length + text.length > lineUnitsMax) return undefined
  const joined = charactersIn(state, `${state.before.at(-1) ?? ""}${text}`)
  return { ...state, before: [...state.before.slice(0, -1), ...joined] }
}

const wasOf = (state: State): Undos.Was => ({ line: lineOf(state), at: state.before.length })

/** The new state, and what makes the screen show it. A line that is changed can be had back; lines that are only looked at are no changes. */
const edited = (from: State, to: State | undefined): Step => {
  if (to === undefined) return [from, bell]
  const was = wasOf(from)
  const isChanged = from.search === undefined && to.search === undefined && was.line !== lineOf(to)
  const undos = isChanged ? Undos.add(from.undos, was) : from.undos
  const next: State = { ...to, undos, last: "other" }
  return [next, write(LineView.update(viewOf(from), viewOf(next), from))]
}
