/** Sends back what it gets. */
import { type MessagePort, workerData } from "node:worker_threads"

const port = workerData as MessagePort

port.on("message", (value: { readonly moved?: Uint8Array<ArrayBuffer> }) => {
  const { moved } = value
  if (moved === undefined) port.postMessage(value)
  else port.postMessage(moved, [moved.buffer])
})
