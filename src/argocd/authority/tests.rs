use loona_hpack::Encoder;

use super::*;

const GO: &str = "home%2Fargocd%2Fcmp-server%2Fplugins%2Fx.sock";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = fields.iter().map(|(a, b)| (a.as_bytes(), b.as_bytes()));
    Encoder::new().encode(fields)
}

/// What becomes of frames behind a preface, in steps of so many bytes.
fn rewritten(frames: &[Vec<u8>], step: usize) -> io::Result<Vec<u8>> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frames.concat());
    let mut rewriter = Rewriter::default();
    let mut out = Vec::new();
    for part in bytes.chunks(step) {
        rewriter.feed(part, &mut out)?;
    }
    Ok(out.split_off(PREFACE))
}

/// The frames of a text: kind, flags, stream, payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let end = FRAME_HEADER + length(bytes);
        frames.push((bytes[3], bytes[4], bytes[8], bytes[9..end].to_vec()));
        bytes = &bytes[end..];
    }
    frames
}

fn fields(block: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let fields = Decoder::new().decode(block).unwrap();
    fields
        .into_iter()
        .map(|(a, b)| (text(a), text(b)))
        .collect()
}

#[test]
fn the_authority_is_another_and_all_else_stays() {
    for authority in ["/home/x.sock", "%2Fhome%2Fx.sock", GO, "localhost"] {
        let headers = block(&[
            (":path", "/p"),
            (":authority", authority),
            ("te", "trailers"),
        ]);
        let data = frame(0, 1, 1, &[7; 100]);
        let all = [
            frame(4, 0, 0, &[]),
            frame(HEADERS, END_HEADERS, 1, &headers),
            data.clone(),
        ];
        for step in [1, 3, 10, 1000] {
            let out = rewritten(&all, step).unwrap();
            let out = frames(&out);
            assert_eq!(out[0], (4, 0, 0, Vec::new()));
            assert_eq!((out[1].0, out[1].1, out[1].2), (HEADERS, END_HEADERS, 1));
            let seen = fields(&out[1].3);
            let expected = [
                (":path", "/p"),
                (":authority", "localhost"),
                ("te", "trailers"),
            ];
            assert_eq!(seen, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
            assert_eq!(out[2], (0, 1, 1, vec![7; 100]));
        }
    }
}

#[test]
fn a_second_request_uses_the_table_of_the_connection() {
    let mut encoder = Encoder::new();
    let mut request = |stream| {
        let fields = [(&b":authority"[..], GO.as_bytes()), (b"x-long", b"value")];
        frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &encoder.encode(fields),
        )
    };
    let both = [request(1), request(3)];
    assert!(both[1].len() < both[0].len(), "the table is used");
    let out = frames(&rewritten(&both, 7).unwrap());
    assert_eq!(out[0].3, out[1].3);
    assert_eq!(out[1].1, END_HEADERS | END_STREAM);
    assert_eq!(fields(&out[1].3)[1].1, "value");
}

#[test]
fn padding_priority_and_continuations_are_taken_away() {
    let headers = block(&[(":authority", GO), ("a", "b")]);
    let mut payload = vec![3, 0, 0, 0, 0, 16];
    payload.extend(&headers[..5]);
    payload.extend([0; 3]);
    let all = [
        frame(HEADERS, PADDED | PRIORITY | END_STREAM, 5, &payload),
        frame(CONTINUATION, 0, 5, &[]),
        frame(CONTINUATION, END_HEADERS, 5, &headers[5..]),
    ];
    let out = frames(&rewritten(&all, 4).unwrap());
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].1, END_HEADERS | END_STREAM);
    assert_eq!(fields(&out[0].3)[0].1, "localhost");
}

#[test]
fn large_blocks_are_cut_into_frames() {
    let long = "v".repeat(40_000);
    let headers = block(&[(":authority", GO), ("a", &long)]);
    let (first, second) = headers.split_at(16_000);
    let (second, third) = second.split_at(16_000.min(second.len()));
    let all = [
        frame(HEADERS, 0, 1, first),
        frame(CONTINUATION, 0, 1, second),
        frame(CONTINUATION, END_HEADERS, 1, third),
    ];
    let out = frames(&rewritten(&all, 999).unwrap());
    assert_eq!(out.iter().map(|f| f.0).collect::<Vec<_>>(), [1, 9, 9]);
    assert_eq!(
        out.iter().map(|f| f.1).collect::<Vec<_>>(),
        [0, 0, END_HEADERS]
    );
    let all: Vec<u8> = out.into_iter().flat_map(|f| f.3).collect();
    assert_eq!(fields(&all)[1].1, long);
}

#[test]
fn what_is_broken_ends_the_connection() {
    let headers = block(&[("a", "b")]);
    let open = || frame(HEADERS, 0, 1, &headers);
    let bomb: Vec<u8> = {
        // One long field enters the table, and is named thousands of times.
        let mut bomb = vec![0x40, 1, b'a'];
        string_length(3000, &mut bomb);
        bomb.extend([b'v'; 3000]);
        bomb.extend([0x80 | 0x3e; 5000]);
        bomb
    };
    let huge = |n| {
        vec![
            frame(HEADERS, 0, 1, &vec![0; FRAME]),
            vec![frame(CONTINUATION, 0, 1, &vec![0; FRAME]); n].concat(),
        ]
    };
    for (frames, reason) in [
        (vec![open(), frame(0, 0, 1, b"x")], "cut by another frame"),
        (vec![open(), open()], "cut by another frame"),
        (
            vec![frame(CONTINUATION, 0, 1, &headers)],
            "cut by another frame",
        ),
        (
            vec![open(), frame(CONTINUATION, 0, 3, &headers)],
            "in another stream",
        ),
        (
            vec![frame(HEADERS, END_HEADERS | PADDED, 1, &[9, 1])],
            "too short",
        ),
        (
            vec![frame(HEADERS, END_HEADERS | PADDED, 1, &[])],
            "too short",
        ),
        (
            vec![frame(HEADERS, END_HEADERS | PRIORITY, 1, &[1, 2])],
            "too short",
        ),
        (
            vec![frame(HEADERS, END_HEADERS, 1, &[0xff; 20])],
            "cannot be read",
        ),
        (
            vec![frame(HEADERS, END_HEADERS, 1, &[0x3f, 0xff, 0xff, 0x7f])],
            "cannot be read",
        ),
        (
            vec![frame(HEADERS, END_HEADERS, 1, &vec![0; FRAME + 1])],
            "too large",
        ),
        (
            vec![frame(HEADERS, END_HEADERS, 1, &bomb)],
            "fields of a header block are too large",
        ),
        (huge(4), "a header block is too large"),
    ] {
        let error = rewritten(&frames, 64).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}: {reason}");
    }
}
