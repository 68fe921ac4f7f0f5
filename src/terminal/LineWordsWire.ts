/** Where words begin and end, as offsets into a line of characters. Pure. */

/** A line in two parts: before the cursor, and behind it. */
export interface Parts {
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
}

export const length = ({ after, before }: Parts): number => before.length + after.length

const isWord = (character: string): boolean => /^[\p{L}\p{N}\p{M}_]/u.test(character)
const isBlank = (character: string): boolean => character === " " || character === "\n"

/** Where the word begins that the cursor is in, or behind. */
export const wordBefore = ({ before }: Parts): number => {
  let at = before.length
  while (at > 0 && !isWord(before[at - 1]!)) at--
  while (at > 0 && isWord(before[at - 1]!)) at--
  return at
}

/** Where the word ends that the cursor is in, or before. */
export const wordAfter = ({ after, before }: Parts): number => {
  let at = 0
  while (at < after.length && !isWord(after[at]!)) at++
  while (at < after.length && isWord(after[at]!)) at++
  return before.length + at
}

/** As `wordBefore`, where only white space parts words. */
export const blankBefore = ({ before }: Parts): number => {
  let at = before.length
  while (at > 0 && isBlank(before[at - 1]!)) at--
  while (at > 0 && !isBlank(before[at - 1]!)) at--
  return at
}
