/** Text of unknown origin, made fit to be shown: its lines apart, its length bounded. */
import { visible } from "./VisibleText.ts"

/** The lines of a text, each of them visible. */
export const visibleLines = (text: string): ReadonlyArray<string> => text.split(/\r?\n/).map(visible)

/** A part of a huge string is a view that keeps the whole alive: this is a string of its own. */
const copied = (text: string): string => Array.from(text).join("")

/** The text, or its beginning and a note of how much more there was: at most `lengthMax` UTF-16 units. */
export const cut = (text: string, lengthMax: number): string => {
  if (text.length <= lengthMax) return text
  const note = `... (${text.length} characters)`
  const kept = Math.max(0, Math.floor(lengthMax) - note.length)
  if (kept === 0) return "...".slice(0, Math.max(0, lengthMax))
  return `${copied(text.slice(0, kept).replace(/[\uD800-\uDBFF]$/, ""))}${note}`
}
