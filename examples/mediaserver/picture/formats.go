package picture

// The formats that are read and written, by their canonical file name extension.
const (
	formatPNG  = "png"
	formatJPEG = "jpg"
	formatGIF  = "gif"
	formatWebP = "webp"
)

var contentTypes = map[string]string{
	formatPNG:  "image/png",
	formatJPEG: "image/jpeg",
	formatGIF:  "image/gif",
	formatWebP: "image/webp",
}

// Formats lists what ParseProcess takes as target format: file name extensions without a dot.
// There is no apng, avif or jxl among them, for want of maintained encoders in Go.
func Formats() []string { return []string{"gif", "jpeg", "jpg", "png", "webp"} }

// canonicalFormat resolves the two names of JPEG; empty if the format is not offered.
func canonicalFormat(name string) string {
	if name == "jpeg" {
		return formatJPEG
	}
	if _, ok := contentTypes[name]; !ok {
		return ""
	}
	return name
}
