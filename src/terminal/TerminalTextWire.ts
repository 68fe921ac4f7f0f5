/**
 * Text in colours (ECMA-48, SGR). Twisted: `conch.insults.text`. Pure.
 *
 * Colours are said beside the text and not in it, so that text of unknown origin stays text: what cannot be seen in it is written out.
 */
import { visible } from "../result/VisibleText.ts"

const colors = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const

/** As the terminal's owner has chosen them; or one of the 256 of xterm. */
export type Color = (typeof colors)[number] | `bright-${(typeof colors)[number]}` | number

export interface Style {
  readonly color?: Color | undefined
  readonly background?: Color | undefined
  readonly bold?: boolean | undefined
  readonly dim?: boolean | undefined
  readonly italic?: boolean | undefined
  readonly underline?: boolean | undefined
  readonly inverse?: boolean | undefined
}

/** A piece of text that looks the same all over. */
export interface Span extends Style {
  readonly text: string
}

/** What is said: text, or pieces of it with colours. */
export type Content = string | Span | ReadonlyArray<string | Span>

const attributes = [
  ["bold", 1],
  ["dim", 2],
  ["italic", 3],
  ["underline", 4],
  ["inverse", 7]
] as const

/** 30 and 40 are where colours and backgrounds begin, 90 and 100 the bright ones. What is no colour is none. */
const colorOf = (color: Color, isBackground: boolean): ReadonlyArray<number> => {
  if (typeof color === "number") {
    return Number.isInteger(color) && color >= 0 && color <= 255 ? [isBackground ? 48 : 38, 5, color] : []
  }
  const isBright = color.startsWith("bright-")
  const at = (colors as ReadonlyArray<string>).indexOf(isBright ? color.slice("bright-".length) : color)
  return at < 0 ? [] : [at + (isBackground ? 40 : 30) + (isBright ? 60 : 0)]
}

const codesOf = (style: Style): ReadonlyArray<number> => [
  ...attributes.flatMap(([name, code]) => (style[name] === true ? [code] : [])),
  ...(style.color === undefined ? [] : colorOf(style.color, false)),
  ...(style.background === undefined ? [] : colorOf(style.background, true))
]

/** Each line with `show`; tabs pass. */
const linesOf = (text: string, newLine: string): string =>
  text
    .split(/\r\n|\n|\r/)
    .map((line) => line.split("\t").map(visible).join("\t"))
    .join(newLine)

/** The text, safe to show: what cannot be seen is written out, new lines (as `newLine`) and tabs pass; in colours, or without. */
export const format = (content: Content, isColored: boolean, newLine = "\n"): string =>
  [content]
    .flat()
    .map((piece) => {
      if (typeof piece === "string") return linesOf(piece, newLine)
      const [text, codes] = [linesOf(piece.text, newLine), isColored ? codesOf(piece) : []]
      return codes.length === 0 || text === "" ? text : `\x1b[${codes.join(";")}m${text}\x1b[0m`
    })
    .join("")

/** On one line: new lines and tabs are written out, too. */
export const formatLine = (content: Content, isColored: boolean): string =>
  format(
    [content]
      .flat()
      .map((piece) => (typeof piece === "string" ? visible(piece) : { ...piece, text: visible(piece.text) })),
    isColored
  )

// oxlint-disable-next-line no-control-regex
const sgr = /\x1b\[[0-9;:]*m/g

/** Without colours: what takes columns. */
export const plain = (text: string): string => (text.includes("\x1b") ? text.replace(sgr, "") : text)
