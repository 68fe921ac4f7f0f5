/** Signals to processes, their groups, and nobody else. */
import type { ProcessSignal } from "../reactor/ProcessSignal.ts"

/** As Node names them. */
export const nativeSignal = (signal: ProcessSignal | number): NodeJS.Signals | number =>
  typeof signal === "number" ? signal : (`SIG${signal}` as NodeJS.Signals)

export const ourSignal = (signal: NodeJS.Signals): ProcessSignal =>
  signal.slice("SIG".length) as ProcessSignal

/** The system's code, or that of Node (a signal that does not exist); undefined if it was sent. */
export type Refusal = { readonly code: string; readonly cause: unknown }

export const send = (pid: number, signal: ProcessSignal | number): Refusal | undefined => {
  try {
    process.kill(pid, nativeSignal(signal))
    return undefined
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    return { code: code ?? "", cause }
  }
}

const exists = (pid: number): boolean => send(pid, 0)?.code !== "ESRCH"

/**
 * Whether a group whose leader is gone, reaped, has members. As long as it has, the system gives its number to nobody else;
 * so if a process has that number, the group was empty, and what has it is not ours.
 */
export const hasOrphans = (leader: number): boolean => !exists(leader) && exists(-leader)
