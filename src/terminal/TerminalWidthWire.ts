/**
 * How many columns text takes (UAX #11, UAX #29). Pure. A character is what a person takes for one: a grapheme cluster, such as `é` of
 * two code points or a family of emoji. Where terminals disagree, as most do about emoji with joiners, it goes by the standard.
 */

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })

/** The text as characters. */
export const characters = (text: string): ReadonlyArray<string> =>
  // No cluster is longer than one code unit there.
  isPlain(text) ? [...text] : Array.from(segmenter.segment(text), ({ segment }) => segment)

const isPlain = (text: string): boolean => /^[ -~]*$/.test(text)

/** East Asian Wide and Fullwidth; blocks that are wide as a whole are taken so with what is unassigned in them. */
const wide =
  /^[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]/u
const emoji = /^\p{Emoji_Presentation}|^\p{Emoji}\ufe0f/u
/** Nothing is seen of it by itself: marks, formats. */
const empty = /^[\p{Mn}\p{Me}\p{Cf}\u200b\u1160-\u11ff]+$/u

/** Columns of one character: 0, 1 or 2. */
export const widthOf = (character: string): number => {
  if (isPlain(character)) return character.length === 0 ? 0 : 1
  if (empty.test(character)) return 0
  return wide.test(character) || emoji.test(character) ? 2 : 1
}

/** Columns of a text on one line. */
export const widthOfText = (text: string): number => {
  let width = 0
  for (const character of characters(text)) width += widthOf(character)
  return width
}

/** Where a text ends that begins at a column of a row, on a screen with so many columns. A wide character that does not fit begins the next row; so does what follows a new line. */
export interface Place {
  readonly row: number
  /** May be as many as there are columns: behind the last one, before the terminal goes on to the next row. */
  readonly column: number
}

export const advance = (from: Place, text: ReadonlyArray<string>, columns: number): Place => {
  let { column, row } = from
  for (const character of text) {
    if (character === "\n") {
      row++
      column = 0
      continue
    }
    const width = widthOf(character)
    if (column + width > columns) {
      row++
      column = 0
    }
    column += width
  }
  return { row, column }
}
