/** What `/proc` tells of processes: whose children they are, and which are dead and not reaped. */
import * as fs from "node:fs"

/**
 * Whether all that is left of a group are zombies: nothing more can happen to them, and where `init` does not do its duty, as in
 * many a container, to wait for them would be to wait for ever. It looks at every process there is. `false` where there is no `/proc`.
 */
export const onlyZombies = (group: number): boolean => {
  let names: ReadonlyArray<string>
  try {
    names = fs.readdirSync("/proc")
  } catch {
    return false
  }
  let found = false
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue
    const process = stateOf(name)
    if (process?.group !== group) continue
    if (process.state !== "Z" && process.state !== "X") return false
    found = true
  }
  return found
}

/** Whether a process is there, dead or alive, and a child of ours. Where there is no `/proc`, nobody knows. */
export const isChild = (pid: number): boolean | undefined => {
  if (!fs.existsSync("/proc/self/stat")) return undefined
  return stateOf(String(pid))?.parent === process.pid
}

interface State {
  readonly state: string
  readonly parent: number
  readonly group: number
}

const stateOf = (pid: string): State | undefined => {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, "latin1")
    // The name of the program is in parentheses, and may hold anything, parentheses too.
    const [state, parent, group] = text.slice(text.lastIndexOf(")") + 2).split(" ")
    return state === undefined ? undefined : { state, parent: Number(parent), group: Number(group) }
  } catch {
    // It is gone by now.
    return undefined
  }
}
