/** What to start, and how: data, the same for every platform. */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { ProcessSignal } from "./ProcessSignal.ts"

/** A program with its arguments: a list, handed over as it is. No shell is between. */
export interface Program {
  /** A path, or a name that is looked for in the child's `PATH`. */
  readonly program: string
  readonly args?: ReadonlyArray<string | Redacted.Redacted<string>> | undefined
  /** What the program sees as its own name. Default: `program`. */
  readonly argv0?: string | undefined
  /** Default: where this process is. */
  readonly cwd?: string | undefined
  /** Added to what is inherited; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | Redacted.Redacted<string> | undefined>> | undefined
  /**
   * Whether the child begins with this process's environment: all of it (the default), none, or only these variables.
   * Twisted begins with none.
   */
  readonly inheritEnv?: boolean | ReadonlyArray<string> | undefined
  /** The user and group to become, for a process that may; its other groups are dropped. */
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /**
   * `own` (the default): the child leads a session and process group of its own. The terminal's signals do not reach it, and
   * ending it ends the group, whatever the child has started. `shared`: it is in ours; ending it ends it alone.
   */
  readonly group?: "own" | "shared" | undefined
  /** What asks it to end when its scope does. Default `TERM`. */
  readonly endSignal?: ProcessSignal | undefined
  /** How long it has for that, before `KILL`. Default 5 seconds. */
  readonly grace?: Duration.Input | undefined
  /**
   * How long after the exit a pipe may still be open, because somebody has inherited it, while we wait for its end;
   * then it counts as ended, and is closed. The time in which nobody receives does not count. Default 2 seconds; Twisted
   * waits for ever (`Duration.infinity`).
   */
  readonly pipesTimeout?: Duration.Input | undefined
}

/**
 * What a descriptor of the child is:
 *
 * - `r`, `w`, `rw`: a pipe that we read, write, or both.
 * - a number: that descriptor of ours, shared with the child. `inherit`: the one of the same number.
 * - `null`: the null device for 0, 1 and 2; others are not open.
 */
export type ChildFD = "r" | "w" | "rw" | "inherit" | "null" | number

/** By the child's numbers. */
export interface ChildFDs {
  readonly [fd: number]: ChildFD
}

/** Standard input, output and error are pipes. */
export interface StandardFDs {
  readonly 0: "w"
  readonly 1: "r"
  readonly 2: "r"
}

export const standardFDs: StandardFDs = { 0: "w", 1: "r", 2: "r" }

export interface Command<out F extends ChildFDs = ChildFDs> extends Program {
  /**
   * Descriptors that are to be other than the standard ones (`{ 0: "w", 1: "r", 2: "r" }`). All that is not named anywhere is closed
   * in the child. Twisted: here, what is not named keeps its default.
   */
  readonly childFDs?: F | undefined
}

/** A program on a terminal of its own, as its session's leader. */
export interface PtyCommand extends Omit<Program, "argv0" | "group"> {
  /** Default 80. */
  readonly columns?: number | undefined
  /** Default 24. */
  readonly rows?: number | undefined
  /** The kind of terminal, `TERM`. Default `xterm-256color`. */
  readonly terminal?: string | undefined
}

/** All descriptors that a command names or leaves as they are, in the order of their numbers. */
export const modesOf = (
  childFDs: ChildFDs | undefined
): ReadonlyArray<readonly [fd: number, mode: ChildFD]> =>
  Object.entries({ ...standardFDs, ...childFDs }).map(([fd, mode]) => [Number(fd), mode] as const)

export const isPipe = (mode: ChildFD): mode is "r" | "w" | "rw" =>
  mode === "r" || mode === "w" || mode === "rw"
