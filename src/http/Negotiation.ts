/** `Accept` and `Accept-Encoding`: which of what we have is wanted most. Pure, and of linear cost. RFC 9110 §12.4, §12.5. */

interface Wish {
  readonly name: string
  readonly quality: number
}

/** More are an attack, or might as well be. */
const wishesMax = 64

const qualityOf = (parameters: ReadonlyArray<string>): number => {
  for (const parameter of parameters) {
    const [, value] = /^\s*q\s*=\s*(\d(?:\.\d{0,3})?)\s*$/i.exec(parameter) ?? []
    if (value !== undefined) return Math.min(1, Number(value))
  }
  return 1
}

const wishesOf = (header: string): ReadonlyArray<Wish> =>
  header.split(",", wishesMax).flatMap((text) => {
    const [name = "", ...parameters] = text.split(";")
    const trimmed = name.trim().toLowerCase()
    return trimmed === "" ? [] : [{ name: trimmed, quality: qualityOf(parameters) }]
  })

/**
 * The codings of `offered` that are accepted, the most wanted first; of those that are wanted as much, the one that is offered
 * first. `identity` needs no mention.
 */
export const encodings = <const E extends string>(
  header: string | undefined,
  offered: ReadonlyArray<E>
): ReadonlyArray<E> => {
  if (header === undefined) return []
  const wishes = wishesOf(header)
  const quality = (name: string) =>
    (wishes.find((wish) => wish.name === name) ?? wishes.find((wish) => wish.name === "*"))?.quality ?? 0
  return offered.filter((name) => quality(name) > 0).toSorted((a, b) => quality(b) - quality(a))
}

/** The media type of `offered` that is wanted most; the first where there is no wish, or none that can be granted. */
export const mediaType = <const M extends string>(
  header: string | undefined,
  offered: readonly [M, ...ReadonlyArray<M>]
): M => {
  if (header === undefined) return offered[0]
  const wishes = wishesOf(header)
  // The most specific range that covers a type says how much it is wanted.
  const quality = (type: string) => {
    const [main = ""] = type.split("/")
    const ranges = [type, `${main}/*`, "*/*"]
    for (const range of ranges) {
      const wish = wishes.find(({ name }) => name === range)
      if (wish !== undefined) return wish.quality
    }
    return 0
  }
  let best = offered[0]
  for (const type of offered) if (quality(type) > quality(best)) best = type
  return best
}
