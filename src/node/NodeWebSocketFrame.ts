/** Frames (RFC 6455 §5), made. */
import { Sender } from "./NodeWebSocketLibrary.ts"

export const opcode = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** The largest payload of a control frame (§5.5). */
export const controlBytesMax = 125

const fin = 0x80
const compressed = 0x40

/** A whole message in one frame. What a client sends is masked (§5.3). */
export const make = (
  code: number,
  payload: string | Uint8Array,
  isMasked: boolean,
  isCompressed = false
): Uint8Array =>
  isMasked ? masked(code, bufferOf(payload), isCompressed) : plain(code, payload, isCompressed)

const plain = (code: number, payload: string | Uint8Array, isCompressed: boolean): Uint8Array => {
  const length = typeof payload === "string" ? Buffer.byteLength(payload) : payload.length
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(start + length)
  frame[0] = code | fin | (isCompressed ? compressed : 0)
  if (start === 2) frame[1] = length
  else if (start === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeUIntBE(0, 2, 2)
    frame.writeUIntBE(length, 4, 6)
  }
  if (typeof payload === "string") frame.write(payload, start)
  else frame.set(payload, start)
  return frame
}

/** `readOnly`: what is masked is a copy. */
const masked = (code: number, payload: Buffer, isCompressed: boolean): Uint8Array => {
  const options = { fin: true, mask: true, opcode: code, readOnly: true, rsv1: isCompressed }
  const pieces = Sender.frame(payload, options)
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

/** Code and reason of a Close frame; nothing where there is no code. */
export const closePayload = (code: number | undefined, reason: string): Uint8Array => {
  if (code === undefined) return Buffer.alloc(0)
  const payload = Buffer.allocUnsafe(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code, 0)
  payload.write(reason, 2)
  return payload
}

export const bufferOf = (data: string | Uint8Array): Buffer =>
  typeof data === "string" ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
