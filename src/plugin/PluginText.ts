/** What others wrote, as it is shown on a terminal: on one line, nothing in it invisible, not too long. */
import { visible } from "../result/VisibleText.ts"

const detailMax = 400

/** At most so many characters, and what cannot be seen written out. */
export const shown = (text: string, charactersMax: number = detailMax): string =>
  text.length <= charactersMax
    ? visible(text)
    : `${visible(text.slice(0, charactersMax).replace(/[\uD800-\uDBFF]$/, ""))}...`

/** In double quotes. */
export const quoted = (text: string): string => `"${shown(text, 100)}"`

/** What an error says; of anything else that was thrown, what it is. Never throws. */
export const messageOf = (thrown: unknown): string => {
  try {
    if (thrown instanceof Error) return thrown.message === "" ? thrown.name : thrown.message
    return typeof thrown === "string" ? thrown : `${String(thrown)} was thrown`
  } catch {
    return "something was thrown that cannot be shown"
  }
}

/** `, perhaps "echo" was meant`, or nothing. */
export const hint = (suggestion: string | undefined): string =>
  suggestion === undefined ? "" : `; perhaps ${quoted(suggestion)} was meant`
