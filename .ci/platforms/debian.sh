# Compilers out of Debian's packages, for the checks of this folder. They are unpacked below the target folder and not
# installed, so that compilers for several processors, whose packages exclude each other, are there side by side.
#
# Each function fails with a line that says why if the packages cannot be had here.

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

# newest PACKAGE BEGIN: the newest version that apt knows and that begins so; nothing if there is none.
newest() {
    apt-cache madison "$1" 2>/dev/null |
        awk -F' *[|] *' -v begin="$2" 'index($2, begin) == 1 && !found { found = 1; print $2 }'
}

# unpack FOLDER PACKAGE ..: the packages below $target/debian/FOLDER, unless an earlier run has left them there.
unpack() {
    local folder=$target/debian/$1 package
    [ ! -f "$folder/complete" ] || return 0
    rm -rf "$folder"
    mkdir -p "$folder/packages"
    (cd "$folder/packages" && apt-get download -qq -o APT::Sandbox::User=root "${@:2}") || return 1
    for package in "$folder"/packages/*.deb; do
        # The sources of the compiler are not needed; those of the standard library are.
        dpkg-deb --fsys-tarfile "$package" |
            tar -x -C "$folder" --no-wildcards-match-slash --exclude './usr/src/*/compiler' \
                --exclude './usr/src/*/src' --exclude ./usr/share || return 1
    done
    rm -r "$folder/packages"
    touch "$folder/complete"
}

# debian_rust VERSION [SOURCES]: the newest compiler whose version begins so, as $RUSTC. SOURCES are `rust-web-src`,
# from which cargo builds the standard library for a target that Debian has no library for.
debian_rust() {
    local version release llvm packages
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { printf 'this is no Debian\n'; return 1; }
    [ "$(dpkg --print-architecture)" = amd64 ] || { printf 'the processor is not an amd64\n'; return 1; }
    # A machine that was just made may have no lists of packages, or old ones.
    version=$(newest rustc-web "$1")
    [ -n "$version" ] || apt-get update -qq || true
    version=$(newest rustc-web "$1")
    [ -n "$version" ] || { printf 'apt has no rustc-web %s\n' "$1"; return 1; }
    release=$(cut -d. -f1,2 <<< "$version")
    llvm=$(apt-cache show "libstd-rust-web-$release=$version" | sed -n 's/^Depends:.*\(libllvm[0-9]*\).*/\1/p')
    packages=("rustc-web=$version" "libstd-rust-web-dev=$version" "libstd-rust-web-$release=$version" "$llvm")
    for source in "${@:2}"; do packages+=("$source=$version"); done
    unpack "rust-$version" "${packages[@]}" || { printf 'apt cannot fetch rustc-web %s\n' "$version"; return 1; }
    local root=$target/debian/rust-$version/usr
    export RUSTC=$root/bin/rustc LD_LIBRARY_PATH=$root/lib/x86_64-linux-gnu
    "$RUSTC" --version
}

# debian_cc NAME PROCESSOR: a C compiler and the C library for another processor, as the linker and the compiler of C of
# its target. Debian calls the library's processor NAME.
debian_cc() {
    local name=$1 processor=$2 package packages=()
    for package in {gcc-12,cpp-12,binutils}-"$processor-linux-gnu" {libc6,libc6-dev,libgcc-12-dev,libgcc-s1,linux-libc-dev}-"$name-cross"; do
        packages+=("$package")
    done
    unpack "cc-$processor" "${packages[@]}" || { printf 'apt cannot fetch gcc for %s\n' "$processor"; return 1; }
    local root=$target/debian/cc-$processor/usr rust_target=$processor-unknown-linux-gnu
    local cc=$root/bin/$processor-linux-gnu-gcc-12
    local upper=${rust_target^^}
    export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$root/lib/x86_64-linux-gnu
    export "CARGO_TARGET_${upper//-/_}_LINKER=$cc" "CC_${rust_target//-/_}=$cc" "AR_${rust_target//-/_}=$root/bin/$processor-linux-gnu-ar"
}
