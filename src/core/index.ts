/** The only door to core: the three faces and other people's programs import from here. */
export { formatGuid, formatUuid } from './bytes/guid.ts';
export { parseSize } from './bytes/parse-size.ts';
export { clamp, divideDown, divideUp, isPowerOfTwo, roundDown, roundUp } from './bytes/rounding.ts';
export { firstAtLeast } from './bytes/sorted-search.ts';
export {
  decodeName,
  encodeName,
  escapeText,
  escapeUnprintable,
  hasUndecodableBytes,
  unescapeText,
} from './bytes/text.ts';
export { type CompareOptions, differences } from './compare/differences.ts';
export {
  type BackingLayer,
  backingLayers,
  type Container,
  type ContainerFormatName,
  type ContainerOptions,
  isContainer,
  type LeafExtent,
  leafExtents,
  type Snapshot,
  type WritableContainer,
} from './container/container.ts';
export { containerFormatNames } from './container/formats.ts';
export { type BackingFile, type CreateImageOptions, createImage } from './create-image.ts';
export {
  type BlockDevice,
  type ByteRange,
  type ReadOptions,
  type ResizableBlockDevice,
  readBytes,
  streamBytes,
  type WritableBlockDevice,
} from './device/block-device.ts';
export { CachedDevice, type CacheOptions } from './device/cached-device.ts';
export { type Extent, type ExtentSource, extentsOf, mergeExtents } from './device/extent.ts';
export { ExtentDevice } from './device/extent-device.ts';
export { FileDevice, type FileDeviceOptions, systemError } from './device/file-device.ts';
export { MemoryDevice } from './device/memory-device.ts';
export { OverlayDevice, type OverlayOptions } from './device/overlay-device.ts';
export type { OnProgress, Progress } from './device/progress.ts';
export { RangeView } from './device/range-view.ts';
export { streamReadable } from './device/stream-readable.ts';
export { systemWords } from './device/system-words.ts';
export { takeTurn } from './device/take-turn.ts';
export {
  DiskError,
  type DiskErrorCode,
  type DiskErrorDetails,
  denied,
  ioError,
  notFound,
  outOfRange,
  type Remedy,
  unsupported,
} from './errors.ts';
export { codePageNames } from './filesystem/fat/code-page.ts';
export type {
  Directory,
  DirectoryEntry,
  EntryKind,
  ExtendedAttribute,
  FileNode,
  FileSystem,
  FileSystemType,
  ListOptions,
  LostRange,
  MapOptions,
  NodeKind,
  NodeTimes,
  RegularFile,
  SpecialFile,
  SpecialKind,
  SymbolicLink,
  Timestamp,
} from './filesystem/filesystem.ts';
export type { CheckOptions, Finding, Severity } from './filesystem/finding.ts';
export { openFileSystem } from './filesystem/formats.ts';
export { type AclEntry, aclOf, aclText } from './filesystem/posix-acl.ts';
export { fileDevice, readFile, slackDevice } from './filesystem/read-file.ts';
export { LostRanges, type ReadablePart, readableParts } from './filesystem/readable-parts.ts';
export {
  CERTAINTIES,
  type Certainty,
  isAtLeast,
  type RecoverableFile,
  type RecoverableOptions,
  type RecoverySource,
} from './filesystem/recoverable-file.ts';
export { type ResolvedPath, type ResolveOptions, resolvePath } from './filesystem/resolve-path.ts';
export { type WalkedEntry, type WalkOptions, walk, walkBatches, withKind } from './filesystem/walk.ts';
export type { Diagnostic, Format, OpenContext, Property, Reference } from './format.ts';
export { Image, type Target } from './image.ts';
export type { Layer } from './image-files.ts';
export type { OpenOptions, ReferenceRecord } from './image-opener.ts';
export type { ImageView } from './image-views.ts';
export {
  formatLocator,
  formatPlace,
  formatView,
  type Locator,
  type Place,
  parseLocator,
  type View,
} from './locator.ts';
export { type OpenImageOptions, openImage, openImageOn } from './open-image.ts';
export {
  openWritableImage,
  type RehearsalOptions,
  rehearseWritableImage,
  WritableImage,
  type WritableOptions,
} from './open-writable-image.ts';
export { type ConvertOptions, convertImage } from './output/convert/convert-image.ts';
export type { CopyOptions } from './output/copy-sparse.ts';
export { type ExportOptions, exportDevice } from './output/export-device.ts';
export { type ExtractOptions, type ExtractReport, extract } from './output/extract.ts';
export { RecoveryFolder, type RecoveryReport } from './output/recovery-folder.ts';
export {
  type LayoutRow,
  layoutRows,
  type Partition,
  type PartitionTable,
  type PartitionType,
  type TableRegion,
} from './partition/partition-table.ts';
export { formatBytes, formatCount, formatExactBytes } from './print/bytes.ts';
export { counted, madeText, severityText } from './print/counted.ts';
export { errorText } from './print/error.ts';
export { formatAddress, hexdumpLines } from './print/hexdump.ts';
export { formatMode, kindLetter, octalMode } from './print/mode.ts';
export { hasValue, propertyLabel, propertyText } from './print/property.ts';
export { formatTimestamp } from './print/timestamp.ts';
export { textOrHex } from './print/value.ts';
export type { ReferencePolicy } from './references.ts';
export { type BytePattern, hexPattern, type TextEncodingName, textPattern } from './search/byte-pattern.ts';
export { type Match, type MatchBatch, Search, type SearchOptions } from './search/search.ts';
export { Volume } from './volume.ts';
