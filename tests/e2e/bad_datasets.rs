//! Datasets that cannot be used: each is refused before anything runs, with the file, the place and the mend.

use crate::support::{Ended, Project};

fn run(csv: &str) -> Ended {
    let project = Project::new();
    project.file("features/data.csv", csv).scenario(
        r#"Given the model "hello_world" and the dataset "data.csv"
           When it runs on the host
           Then the mean absolute error is at most 10"#,
    );
    project.run()
}

#[test]
fn a_sound_dataset_by_path_runs_so_that_the_others_are_refused_for_their_own_reason() {
    run("x,y\n0.5,0.48\n1.5,0.99\n").judged("pass", &[]);
}

#[test]
fn a_wrong_shape_is_told_with_both_shapes() {
    run("x0,x1,y\n0.5,0.5,0.48\n").expect(2, &["data.csv", "x0, x1", "float32 [1,1]", "nothing was run"]);
}

#[test]
fn a_missing_column_is_named() {
    run("y\n0.48\n").expect(2, &["data.csv", "input", "column"]);
}

#[test]
fn a_criterion_on_labels_that_are_not_there_is_refused() {
    let project = Project::new();
    project.file("features/data.csv", "x\n0.5\n").scenario(
        r#"Given the model "hello_world" and the dataset "data.csv"
           When it runs on the host
           Then the mean absolute error is at most 10"#,
    );
    project.run().expect(2, &["mean absolute error", "expected values", "test.feature:5"]);
}

#[test]
fn not_a_number_is_told_with_its_row() {
    run("x,y\n0.5,0.48\nNaN,0.99\n").expect(2, &["data.csv", "NaN", "data.csv:3"]);
}

#[test]
fn a_dataset_without_rows_is_refused() {
    run("x,y\n").expect(2, &["data.csv", "has no rows"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "absent.csv"
           When it runs on the host"#,
    );
    project.run().expect(2, &["absent.csv", "test.feature:3"]);
}

#[test]
fn an_array_of_the_wrong_shape_is_told_with_both_shapes() {
    let project = Project::new();
    // NPY version 1.0: magic, version, header length, header, then 2 x 3 float32.
    let header = format!("{:<117}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    npy.extend([0; 24]);
    project.file("features/data.npy", npy).scenario(
        r#"Given the model "hello_world" and the dataset "data.npy"
           When it runs on the host"#,
    );
    project.run().expect(2, &["data.npy", "[2,3]", "float32 [1,1]"]);
}
