/** How many characters must be put in, taken out or replaced to make `to` out of `from` (Levenshtein's distance). */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[to.length]!
}

/** The valid word that was probably meant; of equally near ones the first. */
export const nearestWord = (word: string, valid: readonly [string, ...Array<string>]): string => {
  // Of a long text only the beginning counts: the work has a bound.
  const typed = word.slice(0, 64).toLowerCase()
  let [nearest] = valid
  let least = Infinity
  for (const candidate of valid) {
    const found = distance(typed, candidate)
    if (found < least) {
      least = found
      nearest = candidate
    }
  }
  return nearest
}
