/** The echo server behind a port forward: the one in C, on the generator's core, so that this one has its own to itself. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"

const command = process.env.BACKEND
if (command === undefined) throw new Error("BACKEND is not set")

const [program = "", ...args] = command.split(" ")
const backend = spawn(program, args, {
  stdio: ["pipe", "pipe", "inherit"],
  env: { ...process.env, PORT: "0" }
})
process.on("exit", () => backend.kill())

/** Its port. */
export const backendPort: number = await new Promise((resolve) => {
  createInterface({ input: backend.stdout }).once("line", (line) => resolve(JSON.parse(line).port))
})
