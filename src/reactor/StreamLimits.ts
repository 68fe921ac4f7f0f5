/** How much a stream holds in either direction, in bytes. */
export interface StreamLimits {
  readonly receiveBytesMax: number
  readonly sendBytesMax: number
}

export const receiveBytesMaxDefault = 65_536
export const sendBytesMaxDefault = 65_536
