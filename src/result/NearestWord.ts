/** Which valid word was meant by one that is not: for the "did you mean" of error messages. */

/** Longer words are nobody's typing mistake, and their distance would be dear. */
const wordLengthMax = 64

/**
 * How many characters were inserted, left out, replaced, or swapped with their neighbour (the optimal string
 * alignment distance).
 */
const distance = (a: string, b: string): number => {
  let previous: ReadonlyArray<number> = []
  let row: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min(changed, row[j]! + 1, next[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, previous[j - 2]! + 1)
      }
      next.push(least)
    }
    previous = row
    row = next
  }
  return row[b.length]!
}

/**
 * The word among `valid` that `word` was most likely meant to be, or `undefined` if none is close: equal but
 * for case and surrounding space, or the beginning of exactly one, or at most one mistake in each three
 * characters. Of equally close words the first wins.
 */
export const nearest = (word: string, valid: Iterable<string>): string | undefined => {
  const wanted = word.trim().toLowerCase()
  if (wanted === "" || wanted.length > wordLengthMax) return undefined
  const candidates = Array.from(valid)
  const same = candidates.find((candidate) => candidate.toLowerCase() === wanted)
  if (same !== undefined) return same
  const begun = wanted.length < 2 ? [] : candidates.filter((c) => c.toLowerCase().startsWith(wanted))
  if (begun.length === 1) return begun[0]
  let best: string | undefined
  let bestDistance = Infinity
  for (const candidate of candidates) {
    const mistakes = distance(wanted, candidate.toLowerCase())
    const allowed = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3))
    if (mistakes <= allowed && mistakes < candidate.length && mistakes < bestDistance) {
      best = candidate
      bestDistance = mistakes
    }
  }
  return best
}
