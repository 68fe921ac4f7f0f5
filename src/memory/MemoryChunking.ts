/** How many of the `available` bytes (at least 1) the next event delivers. Other numbers are brought into range. */
export type Chooser = (available: number) => number

/**
 * In what pieces bytes arrive: `"asWritten"` (what was sent in one turn arrives in one event), that many bytes
 * at a time, or as a function chooses. Any chunking gives the same bytes in the same order.
 */
export type Chunking = "asWritten" | number | Chooser

/** The chooser of a chunking; undefined for `"asWritten"`. */
export const chooserOf = (chunking: Chunking): Chooser | undefined =>
  chunking === "asWritten" ? undefined : typeof chunking === "number" ? () => chunking : chunking

/** Between 1 and `bytesMax` bytes (default 16) by a pseudo-random sequence: one seed, one history. */
export const seeded = (seed: number, bytesMax = 16): Chooser => {
  let state = seed >>> 0
  // A Weyl sequence through a 32-bit mixer (the finalizer of MurmurHash3): plenty for test data.
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return 1 + (((mixed ^ (mixed >>> 16)) >>> 0) % bytesMax)
  }
}
