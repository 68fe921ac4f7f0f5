/**
 * Received buffers lie outside V8's heap. Where nothing else allocates, as when bulk data is forwarded, V8 notices only that
 * some 80 MB of them have piled up, and marks the whole heap to find them dead; a scavenge finds the same for a tenth
 * of the time, but is only made when the young generation is full. So a big piece is accompanied by young garbage in
 * proportion, and scavenges come in time. Measured in `bench/README.md` (case `blocks`).
 */

const pieceBytesMin = 8_192

let ballast: Array<unknown> | undefined

/**
 * Call it for each piece received or read. A slot takes 8 bytes, so this is half the piece's size: with a quarter, every
 * fourth collection still marks; with all of it, nothing more is gained.
 */
export const accompany = (bytes: number): void => {
  // oxlint-disable-next-line unicorn/no-new-array -- a length is all that it is to have
  if (bytes >= pieceBytesMin) ballast = new Array(bytes >>> 4)
}

/** Read, so that no compiler takes the allocation for useless. */
export const weigh = (): number => ballast?.length ?? 0
