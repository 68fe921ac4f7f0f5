/** A command as `node:child_process` spells it. */
import type * as childProcess from "node:child_process"
import * as Redacted from "effect/Redacted"
import { type ChildFD, type Command, modesOf, type Program } from "../reactor/ProcessCommand.ts"
import { InvalidCommand } from "../reactor/ProcessError.ts"

/** Linux allows a million open files; Node makes an array as long as the largest number. */
const fdMax = 1_023

export const plain = (value: string | Redacted.Redacted<string>): string =>
  Redacted.isRedacted(value) ? Redacted.value(value) : value

export const argsOf = ({ args = [] }: Pick<Program, "args">): ReadonlyArray<string> => args.map(plain)

/** What can never be started. Node would throw, and tell the value, which may be a secret. */
export const invalidOf = (command: Pick<Command, keyof Program>): InvalidCommand | undefined => {
  const { argv0, cwd, env = {}, program } = command
  const invalid = (detail: string) => new InvalidCommand({ detail })
  if (program === "") return invalid("the program has no name")
  if (hasNul(program)) return invalid("the program's name holds a NUL character")
  if (argv0 !== undefined && hasNul(argv0)) return invalid("`argv0` holds a NUL character")
  if (cwd !== undefined && hasNul(cwd)) return invalid("the directory's name holds a NUL character")
  const args = argsOf(command)
  const index = args.findIndex(hasNul)
  if (index >= 0) return invalid(`argument ${index + 1} holds a NUL character`)
  for (const [name, value] of Object.entries(env)) {
    if (name === "" || name.includes("=") || hasNul(name)) {
      return invalid(`no variable of the environment can be called ${JSON.stringify(name)}`)
    }
    if (value !== undefined && hasNul(plain(value))) {
      return invalid(`the environment variable ${name} holds a NUL character`)
    }
  }
  for (const [what, id] of [
    ["uid", command.uid],
    ["gid", command.gid]
  ] as const) {
    if (id !== undefined && !(Number.isInteger(id) && id >= 0 && id <= idMax)) {
      return invalid(`${what} is a whole number from 0 to ${idMax}, not ${id}`)
    }
  }
  return undefined
}

const idMax = 2_147_483_647

const hasNul = (text: string): boolean => text.includes("\0")

export const invalidFDs = ({ childFDs }: Command): InvalidCommand | undefined => {
  for (const [fd, mode] of modesOf(childFDs)) {
    if (!Number.isInteger(fd) || fd < 0 || fd > fdMax) {
      return new InvalidCommand({
        detail: `a child's descriptor is a whole number from 0 to ${fdMax}, not ${fd}`
      })
    }
    if (typeof mode === "number" && !(Number.isInteger(mode) && mode >= 0)) {
      return new InvalidCommand({ detail: `no descriptor to inherit can be ${mode}` })
    }
  }
  return undefined
}

export const environmentOf = ({ env = {}, inheritEnv = true }: Program): Record<string, string> => {
  const made: Record<string, string> = {}
  const names = inheritEnv === true ? Object.keys(process.env) : inheritEnv === false ? [] : inheritEnv
  for (const name of names) {
    const value = process.env[name]
    if (value !== undefined) made[name] = value
  }
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete made[name]
    else made[name] = plain(value)
  }
  return made
}

/** `covered` are descriptors of ours that a child would get without being asked: it gets `nothing` there. */
const stdioOf = (
  { childFDs }: Command,
  covered: ReadonlyArray<number>,
  nothing: number
): Array<childProcess.IOType | number> => {
  const stdio: Array<childProcess.IOType | number> = []
  const put = (fd: number, mode: childProcess.IOType | number) => {
    while (stdio.length < fd) stdio.push("ignore")
    stdio[fd] = mode
  }
  for (const fd of covered) put(fd, nothing)
  for (const [fd, mode] of modesOf(childFDs)) if (fd <= 2 || mode !== "null") put(fd, nodeMode(fd, mode))
  return stdio
}

const nodeMode = (fd: number, mode: ChildFD): childProcess.IOType | number => {
  if (typeof mode === "number") return mode
  if (mode === "null") return "ignore"
  // Node's own `inherit` does the same for the first three only.
  return mode === "inherit" ? fd : "pipe"
}

export const spawnOptions = (
  command: Command,
  covered: ReadonlyArray<number>,
  nothing: number
): childProcess.SpawnOptions => ({
  stdio: stdioOf(command, covered, nothing),
  env: environmentOf(command),
  detached: command.group !== "shared",
  windowsHide: true,
  shell: false,
  ...(command.argv0 === undefined ? {} : { argv0: command.argv0 }),
  ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
  ...(command.uid === undefined ? {} : { uid: command.uid }),
  ...(command.gid === undefined ? {} : { gid: command.gid })
})
