/** What a line was before it was changed, the newest first. Pure. */

/** A line, and how many characters stood before the cursor. */
export interface Was {
  readonly line: string
  readonly at: number
}

export type Undos = ReadonlyArray<Was>

const changesMax = 200
/** Of all lines together, in UTF-16 units. */
const unitsMax = 65_536

/** Remembers one more; the oldest go when there is no room. */
export const add = (undos: Undos, was: Was): Undos => {
  let units = was.line.length
  let kept = 0
  while (kept < undos.length && kept < changesMax - 1 && units + undos[kept]!.line.length <= unitsMax) {
    units += undos[kept++]!.line.length
  }
  return [was, ...undos.slice(0, kept)]
}
