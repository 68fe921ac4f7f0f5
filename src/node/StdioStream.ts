/**
 * An input and an output as one stream: pipes, files, terminals, sockets, each read and written in the way that suits its kind.
 * `process.stdin` and `process.stdout` are not touched.
 */
import * as fs from "node:fs"
import * as net from "node:net"
import { Duplex, type Readable, type Writable } from "node:stream"
import * as tty from "node:tty"
import { isNonBlocking, isStandard, vacate } from "./standardDescriptors.ts"

export interface Descriptors {
  readonly input: number
  readonly output: number
}

/** Takes over both descriptors: each is closed when its direction is over, a terminal excepted. */
export class StdioStream extends Duplex {
  private readonly input: Readable
  private readonly output: Writable

  /** @throws what Node says of a descriptor that is no stream */
  constructor({ input, output }: Descriptors, writableHighWaterMark: number) {
    super({ allowHalfOpen: true, writableHighWaterMark })
    this.output = openOutput(output)
    try {
      this.input = openInput(input)
    } catch (error) {
      this.output.on("error", () => {}).destroy()
      throw error
    }
    const onError = (error: Error) => this.destroy(error)
    this.output.on("error", onError)
    this.input
      .on("error", onError)
      .on("end", () => this.push(null))
      .on("data", (bytes: Uint8Array) => {
        if (!this.push(bytes)) this.input.pause()
      })
      .pause()
  }

  override _read(): void {
    this.input.resume()
  }

  override _write(bytes: Uint8Array, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.output.write(bytes, done)
  }

  override _writev(
    pieces: ReadonlyArray<{ readonly chunk: Uint8Array }>,
    done: (error?: Error | null) => void
  ): void {
    this.output.cork()
    pieces.forEach(({ chunk }, index) => {
      if (index < pieces.length - 1) this.output.write(chunk)
      else this.output.write(chunk, done)
    })
    this.output.uncork()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.output.once("close", () => done())
    this.output.end(() => this.output.destroy())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    let left = 2
    const closed = () => {
      if (--left === 0) done(error)
    }
    for (const stream of [this.input, this.output]) {
      if (stream.closed) closed()
      else stream.once("close", closed).destroy()
    }
  }
}

/** As `process.stdin` would be made; closed when it is destroyed. */
const openInput = (fd: number): Readable => {
  if (tty.isatty(fd)) return new tty.ReadStream(fd)
  if (isFlowing(fd)) return new FlowingSocket(fd, { writable: false })
  return fs.createReadStream("", { fd, fs: { read: fs.read, close: closeFile } })
}

const openOutput = (fd: number): Writable => {
  if (tty.isatty(fd)) return new tty.WriteStream(fd)
  if (isFlowing(fd)) return new FlowingSocket(fd, { readable: false })
  return fs.createWriteStream("", { fd, fs: { write: fs.write, writev: fs.writev, close: closeFile } })
}

/** Something that can be waited for: a pipe, a socket. Reading a file always blocks a thread. */
const isFlowing = (fd: number): boolean => {
  const stats = fs.fstatSync(fd)
  return stats.isFIFO() || stats.isSocket()
}

/** One direction of a pipe or socket. */
class FlowingSocket extends net.Socket {
  private readonly fd: number
  private readonly wasBlocking: boolean

  constructor(fd: number, options: net.SocketConstructorOpts) {
    const wasBlocking = !isNonBlocking(fd)
    super({ ...options, fd, allowHalfOpen: true })
    this.fd = fd
    this.wasBlocking = wasBlocking
    if (isStandard(fd)) this.once("close", () => vacate(fd))
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Other processes may share it, and do not expect it not to block. Node sets the standard ones right when the process
    // ends, but only those that are still the same.
    if (this.wasBlocking && isStandard(this.fd)) (this as Handled)._handle?.setBlocking(true)
    super._destroy(error, done)
  }
}

interface Handled {
  readonly _handle?: { readonly setBlocking: (enable: boolean) => unknown } | null | undefined
}

const closeFile = (fd: number, done: (error: Error | null) => void): void => {
  if (isStandard(fd)) vacate(fd)
  else fs.closeSync(fd)
  done(null)
}
