/** Frames as bytes, well made or not: what a fuzzer would send as a client. */
export interface FrameOptions {
  readonly fin?: boolean
  readonly rsv?: number
  readonly masked?: boolean
  /** Instead of the length that it has. */
  readonly length?: "16" | "64"
}

const key = [0x37, 0xfa, 0x21, 0x3d]

export const frame = (
  opcode: number,
  payload: string | Uint8Array = "",
  options: FrameOptions = {}
): Buffer => {
  const { fin = true, masked = true, rsv = 0 } = options
  const data = Buffer.from(payload as Uint8Array)
  const { length } = data
  const form = options.length ?? (length < 126 ? "7" : length < 65_536 ? "16" : "64")
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const mask = masked ? 0x80 : 0
  if (form === "7") head.push(mask | length)
  else if (form === "16") head.push(mask | 126, length >> 8, length & 255)
  else {
    const eight = Buffer.alloc(8)
    eight.writeBigUInt64BE(BigInt(length))
    head.push(mask | 127, ...eight)
  }
  if (!masked) return Buffer.concat([Buffer.from(head), data])
  return Buffer.concat([Buffer.from([...head, ...key]), data.map((byte, i) => byte ^ key[i % 4]!)])
}

/** Frames of one side: what a client sends is masked, and what a server sends is not (RFC 6455 §5.1). */
export const framesOf = (side: "client" | "server") => {
  const make = (code: number, payload?: string | Uint8Array, options?: FrameOptions) =>
    frame(code, payload, { masked: side === "client", ...options })
  const ofCode = (code: number) => (payload: string | Uint8Array, options?: FrameOptions) =>
    make(code, payload, options)
  const control =
    (code: number) =>
    (payload: string | Uint8Array = "", options?: FrameOptions) =>
      make(code, payload, options)
  const close = (code?: number, reason: string | Uint8Array = ""): Buffer => {
    if (code === undefined) return make(8, reason)
    return make(8, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as Uint8Array)]))
  }
  return {
    frame: make,
    text: ofCode(1),
    binary: ofCode(2),
    more: ofCode(0),
    ping: control(9),
    pong: control(10),
    close
  }
}

export const { binary, close, more, ping, pong, text } = framesOf("client")

/** What came, shown: `text hello`, `close 1002`. */
export const shown = (bytes: Uint8Array): ReadonlyArray<string> => {
  const data = Buffer.from(bytes)
  const all: Array<string> = []
  for (let at = 0; at < data.length;) {
    const opcode = data[at]! & 15
    let length = data[at + 1]! & 127
    const masked = (data[at + 1]! & 128) !== 0
    at += 2
    if (length === 126) {
      length = data.readUInt16BE(at)
      at += 2
    } else if (length === 127) {
      length = Number(data.readBigUInt64BE(at))
      at += 8
    }
    const mask = masked ? data.subarray(at, (at += 4)) : undefined
    const payload = Buffer.from(data.subarray(at, at + length))
    at += length
    if (mask !== undefined) for (let i = 0; i < payload.length; i++) payload[i]! ^= mask[i & 3]!
    all.push(name(opcode, payload))
  }
  return all
}

const name = (opcode: number, payload: Buffer): string => {
  switch (opcode) {
    case 1:
      return `text ${brief(payload.toString())}`
    case 2:
      return `binary ${brief(payload.toString("latin1"))}`
    case 8:
      return payload.length === 0 ? "close" : `close ${payload.readUInt16BE(0)}${payload.toString("utf8", 2)}`
    case 9:
      return `ping ${payload.toString("latin1")}`
    case 10:
      return `pong ${payload.toString("latin1")}`
    default:
      return `opcode ${opcode}`
  }
}

/** Of what is long, how long. */
export const brief = (payload: string): string => (payload.length > 200 ? `of ${payload.length}` : payload)
