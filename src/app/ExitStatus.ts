/**
 * What a command's exit code says, by the names of sysexits.h. Twisted: `twisted.application.runner.ExitStatus`.
 *
 * A process that was ended by a signal has no code: it ends by that signal (`NodeExit.bySignal`), and shells show 128 and its number.
 */

export const codes = {
  /** All is well. */
  OK: 0,
  /** Something else than what has a name below. */
  ERROR: 1,
  /** The command line was wrong. */
  USAGE: 64,
  /** The input was wrong. */
  DATAERR: 65,
  /** There is no such input, or it cannot be read. */
  NOINPUT: 66,
  /** There is no such user. */
  NOUSER: 67,
  /** There is no such host. */
  NOHOST: 68,
  /** A service did not start, or has failed for good. */
  UNAVAILABLE: 69,
  /** A defect. */
  SOFTWARE: 70,
  /** The system refused what it should not: no processes, no memory. */
  OSERR: 71,
  /** A file of the system is missing or wrong. */
  OSFILE: 72,
  /** An output file cannot be made. */
  CANTCREAT: 73,
  /** Reading or writing failed. */
  IOERR: 74,
  /** Not now; the same again later may go well. */
  TEMPFAIL: 75,
  /** The peer did not do what the protocol says. */
  PROTOCOL: 76,
  /** This user may not. */
  NOPERM: 77,
  /** The configuration was wrong. */
  CONFIG: 78
} as const

export type Name = keyof typeof codes

export type ExitStatus = (typeof codes)[Name]

const names: ReadonlyMap<number, Name> = new Map(
  (Object.keys(codes) as ReadonlyArray<Name>).map((name) => [codes[name], name])
)

/** The name of a code, if it has one. */
export const nameOf = (code: number): Name | undefined => names.get(code)

/** For people: `69 (UNAVAILABLE)`, `130 (signal 2)`, `3`. */
export const format = (code: number): string => {
  const name = nameOf(code)
  if (name !== undefined) return `${code} (${name})`
  return code > signalBase && code <= signalBase + signalMax
    ? `${code} (signal ${code - signalBase})`
    : String(code)
}

const signalBase = 128
const signalMax = 64
