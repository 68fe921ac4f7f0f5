/** A server in another program, by the contract of harness.ts: a process of ours that only starts it. */
import { connect, createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { createInterface } from "node:readline"

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })

export const answer = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`)

/** Answers the harness, from when the program listens. The kernel does not tell user and system apart there. */
export const converse = async (port: number, cpuMicros: () => number, stop: () => void): Promise<void> => {
  while (!(await isListening(port))) await new Promise((resolve) => setTimeout(resolve, 20))
  answer({ port })
  createInterface({ input: process.stdin })
    .on("line", (line) =>
      answer(
        line === "cpu" ? { userMicros: cpuMicros(), systemMicros: 0 } : { error: `no such command: ${line}` }
      )
    )
    .on("close", stop)
}
