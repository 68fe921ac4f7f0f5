/** The flags of a meta command, understood: a letter each, perhaps with a token behind it. Pure. */
import { type Cas, casOf, flagsMax, opaqueBytesMax, seconds, uint64, unsigned } from "./MemcacheWire.ts"

/** More words than these make no sense: a letter comes once. */
const wordsMax = 17

/**
 * What each letter says. As memcached does it, one that another command understands is taken, and of no effect; which is also what
 * `P` and `L` are for: whatever stands between a client and a server reads them.
 */
export class MetaFlags {
  /** As written, in their order, which is that of the answer. */
  readonly words: ReadonlyArray<string>
  /** What the client is told instead of an answer. */
  readonly wrong: string | undefined
  /** `b`: the key came as base64. */
  isBinary = false
  /** `q`: what went well, or was not found by `mg`, is not told. */
  isQuiet = false
  /** `u`: it does not count as used. */
  isUntouched = false
  /** `v` */
  wantsValue = false
  /** `I`: to mark as old; or to store although the item is newer. */
  invalidates = false
  /** `x`: the value goes, the item stays. */
  removesValue = false
  /** `M`: its first letter. */
  mode: string | undefined = undefined
  /** `T`, in seconds as they are said. */
  time: number | undefined = undefined
  /** `N` */
  vivifyTime: number | undefined = undefined
  /** `R` */
  recacheTime: number | undefined = undefined
  /** `F` */
  clientFlags = 0
  /** `C`: what the item must have. 0 asks for nothing. */
  compared: Cas | undefined = undefined
  /** `E`: what it gets. */
  cas: Cas | undefined = undefined
  /** `D` */
  delta = 1n
  /** `J` */
  initial = 0n

  constructor(words: ReadonlyArray<string>) {
    this.words = words
    this.wrong = words.length === 0 ? undefined : this.read()
  }

  /** Of several things that are wrong the last one is told; one that nobody knows, or that comes twice, at once. */
  private read(): string | undefined {
    if (this.words.length > wordsMax) return "CLIENT_ERROR options flags are too long"
    let seen = ""
    let wrong: string | undefined
    for (const word of this.words) {
      const letter = word[0]!
      if (seen.includes(letter)) return "CLIENT_ERROR duplicate flag"
      if (!known.includes(letter)) return "CLIENT_ERROR invalid flag"
      seen += letter
      wrong = this.take(letter, word) ?? wrong
    }
    return wrong
  }

  private take(letter: string, word: string): string | undefined {
    switch (letter) {
      case "b":
        this.isBinary = true
        return undefined
      case "q":
        this.isQuiet = true
        return undefined
      case "u":
        this.isUntouched = true
        return undefined
      case "v":
        this.wantsValue = true
        return undefined
      case "I":
        this.invalidates = true
        return undefined
      case "x":
        this.removesValue = true
        return undefined
      case "M":
        this.mode = word[1] ?? ""
        return undefined
      case "O":
        return word.length - 1 > opaqueBytesMax ? "CLIENT_ERROR opaque token too long" : undefined
      default:
        return this.takeNumber(letter, word.slice(1))
    }
  }

  private takeNumber(letter: string, token: string): string | undefined {
    switch (letter) {
      case "T":
        return (this.time = seconds(token)) === undefined ? badToken : undefined
      case "N":
        return (this.vivifyTime = seconds(token)) === undefined ? badToken : undefined
      case "R":
        return (this.recacheTime = seconds(token)) === undefined ? badToken : undefined
      case "C":
        return (this.compared = casOf(token)) === undefined ? badToken : undefined
      case "E":
        return (this.cas = casOf(token)) === undefined ? badToken : undefined
      case "F": {
        const flags = unsigned(token, flagsMax)
        this.clientFlags = flags ?? 0
        return flags === undefined ? "CLIENT_ERROR bad command line format" : undefined
      }
      case "D": {
        const delta = uint64(token)
        this.delta = delta ?? 1n
        return delta === undefined ? "CLIENT_ERROR invalid numeric delta value" : undefined
      }
      case "J": {
        const initial = uint64(token)
        this.initial = initial ?? 0n
        return initial === undefined ? "CLIENT_ERROR invalid numeric initial value" : undefined
      }
      default:
        return undefined
    }
  }

  /** What the new item is to have: 0 is none, too. */
  get givenCas(): Cas | undefined {
    return this.cas === 0 ? undefined : this.cas
  }
}

const known = "bcfhklqstuvxCDEFIJLMNOPRT"
const badToken = "CLIENT_ERROR bad token in command line format"
