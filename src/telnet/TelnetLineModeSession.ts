/**
 * Line mode (RFC 1184): the peer edits and shows its lines, and sends them whole; what its user says beside them (interrupt, end of
 * file) comes as commands. A server's side of it, without forward masks. Pure.
 */

const modeCode = 1
const forwardMask = 2
const special = 3

/** Bits of MODE. */
export const mode = { edit: 1, trapSignals: 2, acknowledged: 4 } as const
const known = mode.edit | mode.trapSignals

/** Bits of the flags of a special character: the level in the lowest two. */
const levelBits = 3
const noSupport = 0
const value = 2
const useDefault = 3
const acknowledged = 128

/** Special characters have the numbers 1 to 18 there; 0 asks for all. */
const specialsMax = 18

/** Those that mean something to a terminal here: interrupt, abort output, are you there, end of file, erase a character, a line, a word, repaint. */
const defaults: ReadonlyMap<number, number> = new Map([
  [3, 0x03],
  [4, 0x0f],
  [5, 0x14],
  [8, 0x04],
  [10, 0x7f],
  [11, 0x15],
  [12, 0x17],
  [13, 0x12]
])

interface Special {
  readonly flags: number
  readonly value: number
}

export interface State {
  /** What the peer has agreed to: bits of `mode`. */
  readonly mode: number
  /** By number. */
  readonly specials: ReadonlyMap<number, Special>
}

export const initial: State = {
  mode: 0,
  specials: new Map(Array.from(defaults, ([name, byte]) => [name, { flags: value, value: byte }]))
}

/** Whether the peer edits its lines. */
export const isEdited = (state: State): boolean => (state.mode & mode.edit) !== 0

/** What is asked for first: lines that the peer edits, and signals that come as commands. */
export const begin = Uint8Array.of(modeCode, known)

/** The details that a peer sends, and those that answer them, if any. */
export const step = (state: State, bytes: Uint8Array): readonly [State, Uint8Array | undefined] => {
  const [kind, mask = 0] = bytes
  if (kind === modeCode && bytes.length === 2) {
    const agreed = mask & known
    if ((mask & mode.acknowledged) !== 0) return [{ ...state, mode: agreed }, undefined]
    // What it wants is right, as long as it changes something: an answer to what is so already is how loops begin.
    if (agreed === state.mode) return [state, undefined]
    return [{ ...state, mode: agreed }, Uint8Array.of(modeCode, agreed | mode.acknowledged)]
  }
  if (kind === special && bytes.length % 3 === 1) return specialsOf(state, bytes.subarray(1))
  // WILL FORWARDMASK: there is none.
  return bytes.length === 2 && bytes[0] === 251 && bytes[1] === forwardMask
    ? [state, Uint8Array.of(254, forwardMask)]
    : [state, undefined]
}

const specialsOf = (state: State, triplets: Uint8Array): readonly [State, Uint8Array | undefined] => {
  const specials = new Map(state.specials)
  const out: Array<number> = []
  const told = new Set<number>()
  const tell = (name: number, flags: number, byte: number): void => {
    // Each at most once: an answer is no longer than what is known.
    if (!told.has(name)) out.push(name, flags, byte)
    told.add(name)
  }
  for (let at = 0; at < triplets.length; at += 3) {
    const [name, flags, byte] = [triplets[at]!, triplets[at + 1]!, triplets[at + 2]!]
    const level = flags & levelBits
    if (name === 0) {
      if (level === useDefault) for (const [one, own] of initial.specials) specials.set(one, own)
      if (level >= value) for (const [one, own] of specials) tell(one, own.flags, own.value)
      continue
    }
    if (name > specialsMax) {
      if (level !== noSupport) tell(name, noSupport, 0)
      continue
    }
    const own = specials.get(name) ?? { flags: noSupport, value: 0 }
    const isSame = (own.flags & levelBits) === level && own.value === byte
    if (isSame || (flags & acknowledged) !== 0) continue
    if (level === useDefault) {
      const fallback = initial.specials.get(name) ?? { flags: noSupport, value: 0 }
      specials.set(name, fallback)
      tell(name, fallback.flags, fallback.value)
      continue
    }
    specials.set(name, { flags: flags & ~acknowledged, value: byte })
    tell(name, flags | acknowledged, byte)
  }
  return [{ ...state, specials }, out.length === 0 ? undefined : Uint8Array.of(special, ...out)]
}
